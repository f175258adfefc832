"""A bundle compared with a service tuned by hand: python machinery/benchmarks/serving.py

Both servers do the same work: the bundle's check of a request and its prediction. The tuned one is
Starlette on uvicorn with nothing else: no metrics, no log, no limits. Each server has one core, the
client another, and rounds alternate, so that other load on the machine affects both equally. Read
the ratios: requests a second depend on the machine. `cpu` is the server's processor time for a
request, which is disturbed least. BUNDLE is an unpacked bundle, by default the newest below
build/cache/bundles. With --soak only the bundle is measured, with single rows and batches in turn,
and the memory of its worker is printed.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

SERVER_CORE, CLIENT_CORE = "1", "0"
# A batch keeps the server busy; a second connection hides the time of the client's own work.
BATCH_CONNECTIONS = 2
COLUMNS = "{:<24}" + " {:>10}" * 7
KEYS, COMPARED = ("rate", "p50", "p99", "cpu"), ("rate", "p99", "cpu")
HEAD = ("a second", "p50 ms", "p99 ms", "cpu ms", "ratio", "p99 ratio", "cpu ratio")

TUNED = """
import sys
sys.path.insert(0, ".")
from mlops.serving.scorer import Scorer, hide_what_is_not_locked
hide_what_is_not_locked()
import gc
import uvicorn
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

scorer = Scorer()

async def predict(request):
    rows = scorer.check(await request.body())
    scores = scorer.score(scorer.columns(rows))
    answer = {"predictions": [{"score": score} for score in scores]}
    return Response(to_json(answer), media_type="application/json")

async def readyz(request):
    return Response()

app = Starlette(routes=[Route("/predict", predict, methods=["POST"]), Route("/readyz", readyz)])
scorer.warm_up()
gc.collect()
gc.freeze()
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""

LIMIT = """
import sys, time
sys.path.insert(0, ".")
from mlops.serving.scorer import Scorer, hide_what_is_not_locked
hide_what_is_not_locked()
from pydantic_core import to_json
scorer, body = Scorer(), open(sys.argv[1], "rb").read()

def answer():
    rows = scorer.check(body)
    scores = scorer.score(scorer.columns(rows))
    return to_json({"predictions": [{"score": score} for score in scores]})

answer()
took, start, cpu = [], time.perf_counter(), time.process_time()
while time.perf_counter() - start < float(sys.argv[2]):
    begun = time.perf_counter()
    answer()
    took.append(1000 * (time.perf_counter() - begun))
cpu, rate = time.process_time() - cpu, len(took) / (time.perf_counter() - start)
took.sort()
figures = {"rate": rate, "p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}
print(to_json({**figures, "cpu": 1000 * cpu / len(took)}).decode())
"""


def main() -> None:
    """Measure both sides in turn and print their ratios."""
    options = _options()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows = _rows(options.bundle)
        bodies = {"row": scratch / "row.json", "batch": scratch / "batch.json"}
        bodies["row"].write_bytes(json.dumps({"rows": rows[:1]}).encode())
        bodies["batch"].write_bytes(json.dumps({"rows": rows}).encode())
        sides = {"bundle": _bundle(options, scratch / "home", scratch / "predictions")}
        if not options.soak:
            quiet = _bundle(options, scratch / "quiet")
            sides = {"tuned": _tuned(options), "bundle, nothing logged": quiet, **sides}
        servers = {name: stack.enter_context(_started(*side)) for name, side in sides.items()}
        if options.soak:
            _soak(servers, bodies, options)
            return
        rounds = [_round(servers, bodies, options) for _ in range(options.rounds)]
    print(
        f"\nOne row, {options.connections} connections, one core; {options.rounds} rounds' medians"
    )
    _print(rounds, "row", "tuned")
    print(f"\nBatches of {len(rows):,} rows; the limit is checking and scoring them in process")
    _print(rounds, "batch", "limit")


def _soak(servers: dict[str, tuple], bodies: dict[str, Path], options: argparse.Namespace) -> None:
    """Send requests to the bundle for so many seconds and print its worker's memory in MB."""
    _, processes = servers["bundle"]
    start = time.monotonic()
    while (passed := time.monotonic() - start) < options.soak:
        results = _measured(servers["bundle"], bodies, options)
        memory = max(process.memory_info().rss for process in processes) / 1e6
        rates = ", ".join(f"{one['rate']:,.0f} {kind}/s" for kind, one in results.items())
        print(f"{passed:6.0f} s {memory:7.1f} MB  {rates}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("bundle", type=Path, nargs="?", metavar="BUNDLE")
    parser.add_argument("--rounds", type=int, default=10, help="how often each side is measured")
    parser.add_argument("--seconds", type=float, default=2, help="how long each time")
    parser.add_argument("--connections", type=int, default=16, help="that request rows")
    parser.add_argument(
        "--soak", type=float, metavar="SECONDS", help="measure whether memory grows"
    )
    parser.add_argument("--python", default=sys.executable, help="runs the servers: another venv's")
    options = parser.parse_args()
    if options.bundle is None:
        bundles = [path for path in Path("build/cache/bundles").glob("*") if path.is_dir()]
        if not bundles:
            sys.exit("There is no bundle below build/cache/bundles: run `make demo`, or name one.")
        options.bundle = max(bundles, key=lambda path: path.stat().st_mtime)
    options.bundle = options.bundle.resolve()
    return options


def _rows(bundle: Path) -> list[dict]:
    """Return as many valid rows as a request may hold."""
    schema = json.loads((bundle / "src/schema.json").read_text("utf-8"))
    record = json.loads((bundle / "src/record.json").read_text("utf-8"))
    return schema["examples"][:1] * record["params"]["values"]["serve"]["max_rows"]


def _tuned(options: argparse.Namespace) -> tuple[list[str], Path, dict[str, str]]:
    return [options.python, "-c", TUNED, "{port}"], options.bundle / "src", {}


def _bundle(
    options: argparse.Namespace, home: Path, predictions: Path | None = None
) -> tuple[list[str], Path, dict[str, str]]:
    home.mkdir()
    environ = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    if predictions:
        environ["MLOPS_PREDICTIONS"] = str(predictions)
    command = [options.python, "-m", "bentoml", "serve", str(options.bundle)]
    return [*command, "--host", "127.0.0.1", "--port", "{port}"], home, environ


@contextmanager
def _started(command: list[str], folder: Path, environ: dict[str, str]) -> Iterator[tuple]:
    """Run a server on its core; yield its port and processes once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(port) if argument == "{port}" else argument for argument in command]
    with subprocess.Popen(
        _pinned(SERVER_CORE, command),
        cwd=folder,
        env={"OMP_NUM_THREADS": "1", **os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            while not _is_ready(url):
                if process.poll() is not None:
                    sys.exit(f"exit code {process.returncode}: {command}")
                time.sleep(0.05)
            server = psutil.Process(process.pid)
            yield port, [server, *server.children(recursive=True)]
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def _pinned(core: str, command: list[str]) -> list[str]:
    can_pin = shutil.which("taskset") and (os.cpu_count() or 1) > 1
    return ["taskset", "-c", core, *command] if can_pin else command


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _round(servers: dict[str, tuple], bodies: dict[str, Path], options: argparse.Namespace) -> dict:
    """Measure every server once with single rows and once with batches."""
    results = {}
    for name, server in servers.items():
        for kind, one in _measured(server, bodies, options).items():
            results[name, kind] = one
    limit = [options.python, "-c", LIMIT, str(bodies["batch"]), str(options.seconds)]
    environ = {"OMP_NUM_THREADS": "1", **os.environ}
    command, folder = _pinned(SERVER_CORE, limit), options.bundle / "src"
    output = subprocess.check_output(command, cwd=folder, env=environ)
    results["limit", "batch"] = json.loads(output)
    return results


def _measured(
    server: tuple, bodies: dict[str, Path], options: argparse.Namespace
) -> dict[str, dict]:
    """Return rate, latencies and processor time of a server for single rows and for batches."""
    (port, processes), results = server, {}
    for kind, body in bodies.items():
        connections = options.connections if kind == "row" else BATCH_CONNECTIONS
        arguments = [str(port), str(body), str(connections), str(options.seconds)]
        before = _cpu(processes)
        client = [sys.executable, __file__, "--client", *arguments]
        results[kind] = one = json.loads(subprocess.check_output(_pinned(CLIENT_CORE, client)))
        one["cpu"] = 1000 * (_cpu(processes) - before) / one.pop("count")
    return results


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _print(rounds: list[dict], kind: str, base: str) -> None:
    """Print the medians of each server, and the medians of each round's ratios to the base."""
    print(COLUMNS.format("", *HEAD))
    names = [name for name, of in rounds[0] if of == kind]
    for name in [base, *(name for name in names if name != base)]:
        pairs = [(one[name, kind], one[base, kind]) for one in rounds]
        figures = [statistics.median(side[key] for side, _ in pairs) for key in KEYS]
        ratios = [statistics.median(side[k] / other[k] for side, other in pairs) for k in COMPARED]
        shown = [f"{value:,.2f}" if value < 1000 else f"{value:,.0f}" for value in figures]
        print(COLUMNS.format(name, *shown, *(f"{value:.2f}" for value in ratios)))


class Requester(asyncio.Protocol):
    """A connection that sends the next request on each response, and records the latency."""

    def __init__(self, request: bytes, until: float, took: list[float]) -> None:
        self._request, self._until, self._took = request, until, took
        self._left, self._sent, self._transport = 0, 0.0, None
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._sent < self._until:
            self._transport.write(self._request)
        else:
            self.done.set_result(None)
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Send the next request once the response is complete."""
        if not self._left:
            head, _, data = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(RuntimeError(head[:200].decode()))
                return
            self._left = int(head.lower().partition(b"content-length:")[2].split(maxsplit=1)[0])
        self._left -= len(data)
        if not self._left:
            self._took.append(time.perf_counter() - self._sent)
            self._send()


async def measure(port: str, body: str, connections: str, seconds: str) -> dict[str, float]:
    """Keep a server busy; return the requests a second and the latencies in ms."""
    content = Path(body).read_bytes()
    lines = ("POST /predict HTTP/1.1", "Host: x", "Content-Type: application/json")
    head = "\r\n".join((*lines, f"Content-Length: {len(content)}", "", ""))
    loop, took, start = asyncio.get_running_loop(), [], time.perf_counter()
    clients = [
        await loop.create_connection(
            lambda: Requester(head.encode() + content, start + float(seconds), took),
            "127.0.0.1",
            int(port),
        )
        for _ in range(int(connections))
    ]
    await asyncio.gather(*(requester.done for _, requester in clients))
    total = time.perf_counter() - start
    took.sort()
    at = {share: 1000 * took[int(len(took) * share / 100)] for share in (50, 99)}
    return {"count": len(took), "rate": len(took) / total, "p50": at[50], "p99": at[99]}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        print(json.dumps(asyncio.run(measure(*sys.argv[2:]))))
    else:
        main()
