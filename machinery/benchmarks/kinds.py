"""The kinds of models that `make start` writes: python machinery/benchmarks/kinds.py FORK FORK...

In each FORK `make package` ran. Prints the lines of its model/, the size of its model, and the size
of its service's packages: a virtual environment with exactly what the bundle's lock holds. With the
Python of that environment each packed service is then started in turn: once to compile its modules,
as an image does, and --starts times that count. Prints medians: the seconds until it is ready, its
memory, and the time to answer single rows over HTTP, also as a ratio to the first fork's. Read the
ratios: times depend on the machine, whose load is printed.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.onnx_service import model_kilobytes, served
from mlops.paths import RELEASE
from mlops.releases.bundle import folder_of
from mlops.releases.release import read_release

LOCK = "env/python/requirements.txt"
HEAD = ("lines", "model kB", "packages MB", "ready s", "memory MB", "row ms", "p99 ms", "ratio")


def packed(fork: Path) -> Path:
    """Return the unpacked bundle of the release that was packed last in a fork."""
    release = read_release(fork / RELEASE)
    if release is None:
        raise SystemExit(f"{fork} has no {RELEASE}. Run `make package deploy ENV=dev` there.")
    return fork / folder_of(release.promoted.bundle.digest)


def installed(lock: Path, folder: Path) -> Path:
    """Install a service's lock into an empty virtual environment, and return its Python."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin/python"
    options = ["--quiet", "--require-hashes", "--link-mode", "copy"]
    subprocess.run([uv, "pip", "sync", *options, "--python", python, lock], check=True)
    return python


def packages_megabytes(folder: Path) -> float:
    """Return the size of what is installed in a virtual environment, without compiled bytecode."""
    files = (path for path in folder.glob("lib/*/site-packages/**/*") if path.suffix != ".pyc")
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def lines(fork: Path) -> int:
    """Return the number of lines of a fork's model/."""
    return sum(len(path.read_text("utf-8").splitlines()) for path in fork.glob("model/**/*.py"))


def table(forks: list[Path], folder: Path, starts: int) -> Iterator[str]:
    """Yield a line for each fork; `folder` holds a virtual environment for each while it runs."""
    bundles = [packed(fork) for fork in forks]
    folders = [folder / str(number) for number in range(len(forks))]
    pythons = [installed(bundle / LOCK, one) for bundle, one in zip(bundles, folders)]
    for bundle, python in zip(bundles, pythons):
        served(bundle, python, requests=2)
    psutil.cpu_percent()
    runs = [[*map(served, bundles, pythons)] for _ in range(starts)]
    yield f"{psutil.cpu_count()} cores, {psutil.cpu_percent():.0f} % busy, this program included"
    medians = [[*map(statistics.median, zip(*runs_of_one))] for runs_of_one in zip(*runs)]
    yield f"{'':<14}" + "".join(f"{name:>12}" for name in HEAD)
    for fork, bundle, one, times in zip(forks, bundles, folders, medians):
        sizes = (lines(fork), model_kilobytes(bundle), packages_megabytes(one))
        figures = (*sizes, *times, times[2] / medians[0][2])
        yield f"{fork.name:<14}" + "".join(f"{figure:12.2f}" for figure in figures)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("forks", nargs="+", type=Path, metavar="FORK")
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args()
    forks = [fork.resolve() for fork in options.forks]
    with TemporaryDirectory() as folder:
        for line in table(forks, Path(folder), options.starts):
            print(line)


if __name__ == "__main__":
    main()
