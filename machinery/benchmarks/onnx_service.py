"""Bundles with and without ONNX compared: python machinery/benchmarks/onnx_service.py BUNDLE BUNDLE

Each BUNDLE is an unpacked bundle, such as a folder below build/cache/bundles. Prints the size of
its locked packages as the image has them (without tests, headers and stubs), and of its model; then
starts both services in turn, five times, and prints medians: the seconds until the service is
ready, its memory, and the time to answer single rows over HTTP. Read the ratios: times depend on
the machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import psutil

from mlops.serving import client
from mlops.targets.public_port import free_port, url

STARTS, REQUESTS = 5, 500
# The image leaves out what developers of a library need.
LEFT_OUT = ({"tests", "include", "__pycache__"}, {".pyi", ".pyx", ".pxd", ".h", ".pyc"})
MEASURES = ("packages MB", "model kB", "ready s", "memory MB", "p50 ms", "p99 ms")


def packages_megabytes(bundle: Path) -> float:
    """Return the size of a bundle's locked packages, as installed here."""
    lock = (bundle / "env/python/requirements.txt").read_text("utf-8")
    names = [
        line.split("==")[0] for line in lock.splitlines() if "==" in line and line[0].isalnum()
    ]
    return sum(map(package_bytes, names)) / 1e6


def package_bytes(name: str) -> int:
    """Return the size of an installed package's files that the image keeps."""
    try:
        files = distribution(name).files or ()
    except PackageNotFoundError:
        return 0  # it is for another platform
    folders, endings = LEFT_OUT
    paths = [
        Path(path.locate())
        for path in files
        if not folders & {*path.parts} and path.suffix not in endings
    ]
    return sum(path.stat().st_size for path in paths if path.is_file())


def model_kilobytes(bundle: Path) -> float:
    """Return the size of the model's files in a bundle."""
    return sum(path.stat().st_size for path in (bundle / "src/trained").rglob("*")) / 1e3


def served(
    bundle: Path, python: Path = Path(sys.executable), requests: int = REQUESTS
) -> tuple[float, float, float, float]:
    """Start a bundle's service; return seconds until ready, memory and times of an answer."""
    port = free_port()
    command = [python, "-m", "mlops.serving.alone", f"--port={port}"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=bundle / "src",
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not client.ready(url(port)):
                if process.poll() is not None:
                    raise SystemExit(f"the service of {bundle} ended")
                time.sleep(0.01)
            seconds = time.perf_counter() - start
            memory = psutil.Process(process.pid).memory_info().rss / 1e6
            return seconds, memory, *answer_times(bundle, port, requests)
        finally:
            process.terminate()


def answer_times(bundle: Path, port: int, requests: int) -> tuple[float, float]:
    """Return the median and the 99th percentile in ms of an answer to one row."""
    schema = json.loads((bundle / "src/schema.json").read_text("utf-8"))
    times = []
    for _ in range(requests):
        start = time.perf_counter()
        client.predict(url(port), schema["examples"][:1], 10)
        times.append(1000 * (time.perf_counter() - start))
    percentiles = statistics.quantiles(times, n=100)
    return percentiles[49], percentiles[98]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs=2, type=Path, metavar="BUNDLE")
    bundles = parser.parse_args().bundles
    runs = [[served(bundle) for bundle in bundles] for _ in range(STARTS)]
    columns = []
    for number, bundle in enumerate(bundles):
        medians = map(statistics.median, zip(*(run[number] for run in runs)))
        columns.append([packages_megabytes(bundle), model_kilobytes(bundle), *medians])
    print(f"{'':<12} {'first':>10} {'second':>10} {'ratio':>8}")
    for name, first, second in zip(MEASURES, *columns):
        print(f"{name:<12} {first:10.2f} {second:10.2f} {second / first:8.2f}")


if __name__ == "__main__":
    main()
