"""The overhead of `make demo` over the same work without it: python machinery/benchmarks/demo.py

Runs the demonstration, then the same work with the libraries alone: check the data and train three
models twice, score a champion twice in a process of its own, two `bentoml build`, nine
`bentoml serve` until ready (seven deployments, two parity checks), two load tests. Intervals,
rules, reports, promotions and switches count as overhead. Prints the seconds of both and their
ratio, which are comparable within one run on one machine only.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

CLONE = Path("build/demo/repository").absolute()
SCRATCH = Path("build/benchmark").absolute()
# The work of the steps for a month's change, with the libraries alone: check, train twice, score.
TRAINING = """
import sys, pandas, xgboost, matplotlib.pyplot, data
frames = [data.SCHEMA.validate(data.load(name)[0], lazy=True) for name in data.partitions()]
rows = pandas.concat(frames[:-1])
for name in rows.select_dtypes(["object", "string"]):
    rows[name] = rows[name].astype("category")
target = rows.pop("late")
rows = rows.drop(columns="date")
for _ in range(2):
    model = xgboost.XGBClassifier(n_estimators=int(sys.argv[1]), max_depth=6, tree_method="hist",
        enable_categorical=True, learning_rate=0.05, subsample=0.7, colsample_bytree=0.5,
        min_child_weight=50)
    model.fit(rows, target)
model.predict_proba(rows.head(27000))
matplotlib.pyplot.figure().savefig("build/bare.svg")
"""

SCORING = """
import sys, pandas, xgboost, data
rows = data.load(data.partitions()[-1])[0].drop(columns=["late", "date"])
for name in rows.select_dtypes(["object", "string"]):
    rows[name] = rows[name].astype("category")
model = xgboost.Booster(model_file=sys.argv[1])
model.predict(xgboost.DMatrix(rows, enable_categorical=True), validate_features=False)
"""


def timed(command: list[str], cwd: Path = CLONE) -> float:
    """Run a command, which must succeed, and return its seconds."""
    start = time.perf_counter()
    subprocess.run(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=True
    )
    return time.perf_counter() - start


@contextmanager
def service(bundle: Path) -> Iterator[tuple[str, float]]:
    """Serve a bundle with `bentoml serve`; yield its URL and the seconds until it was ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, start = f"http://127.0.0.1:{port}", time.perf_counter()
    command = [sys.executable, "-m", "bentoml", "serve", str(bundle), "--port", str(port)]
    environment = os.environ | {
        "BENTOML_HOME": str(SCRATCH / "home"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while not ready(url):
            time.sleep(0.05)
        yield url, time.perf_counter() - start
        os.killpg(process.pid, signal.SIGTERM)


def ready(url: str) -> bool:
    """Return whether a service is ready."""
    try:
        return httpx.get(f"{url}/readyz", timeout=1).is_success
    except httpx.TransportError:
        return False


def bare() -> dict[str, float]:
    """Return the seconds of each kind of work with the libraries alone."""
    bundle = next(path for path in (CLONE / "build/cache/bundles").iterdir() if path.is_dir())
    seconds = {
        "trainings": sum(timed([sys.executable, "-c", TRAINING, n]) for n in ("150", "150", "300"))
    }
    champion = str(next(bundle.glob("src/trained/*.ubj")))
    seconds["champion"] = sum(timed([sys.executable, "-c", SCORING, champion]) for _ in range(2))
    stage = SCRATCH / "stage"
    shutil.copytree(bundle / "src", stage)
    build = [sys.executable, "-m", "bentoml", "build", "--bentofile", "bentofile.yaml"]
    os.environ["BENTOML_HOME"] = str(SCRATCH / "home")
    seconds["builds"] = sum(timed([*build, "--version", str(n)], stage) for n in range(2))
    seconds["services"], seconds["load tests"] = 0.0, 0.0
    locust = [sys.executable, "-m", "locust", "--headless", "--only-summary", "--run-time", "10s"]
    for number in range(9):
        with service(bundle) as (url, waited):
            seconds["services"] += waited
            if number < 2:
                users = ["--users", "8", "--spawn-rate", "8", "--host", url]
                file = ["--locustfile", "loadtests/locustfile.py"]
                seconds["load tests"] += timed([*locust, *users, *file])
    return seconds


def main() -> None:
    """Time both and print their ratio."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    demo = timed([sys.executable, "-m", "mlops.steps.demo"], Path.cwd())
    parts = bare()
    for name, seconds in parts.items():
        print(f"{name:<12} {seconds:6.1f} s")
    total = sum(parts.values())
    print(f"{'bare work':<12} {total:6.1f} s\n{'make demo':<12} {demo:6.1f} s")
    print(f"{'ratio':<12} {demo / total:6.2f}")
    shutil.rmtree(SCRATCH, ignore_errors=True)


if __name__ == "__main__":
    main()
