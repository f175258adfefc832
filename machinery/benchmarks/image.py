"""The image's size and its times to build, start and stop: python machinery/benchmarks/image.py

Builds the image of the newest release (`make package`) with nothing but the base image cached, and
again with everything cached. Starts it with restricted rights, polls it until it is ready, and
stops it while eight requests are half sent; the rest is sent a second later. Needs Docker; removes
the image at the end.
"""

import json
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

from mlops.container import engine, images
from mlops.releases import bundle
from mlops.releases.release import read_release
from mlops.releases.store import Store
from mlops.serving import client
from mlops.targets.docker import PORT, RESTRICTIONS
from mlops.targets.public_port import free_port, url
from mlops.training import contract

NAME = "mlops-benchmark"
CLIENTS, HALF = 8, 100


def timed(call) -> float:
    """Return the seconds that a call takes."""
    start_time = time.perf_counter()
    call()
    return time.perf_counter() - start_time


def start(address: str, port: int) -> float:
    """Start a container and return the seconds until it is ready."""

    def run() -> None:
        options = [f"--name={NAME}", f"--publish=127.0.0.1:{port}:{PORT}", *RESTRICTIONS]
        engine.docker("run", "--detach", *options, NAME, what="not started")
        while not client.ready(address):
            time.sleep(0.01)

    return timed(run)


def half_sent(address: str, body: bytes) -> list[HTTPConnection]:
    """Return requests that are half sent, each on its own connection."""
    clients = [HTTPConnection(address.removeprefix("http://"), timeout=30) for _ in range(CLIENTS)]
    for client in clients:
        client.putrequest("POST", "/predict")
        client.putheader("Content-Type", "application/json")
        client.putheader("Content-Length", str(len(body)))
        client.endheaders(body[:HALF])
    return clients


def stop(name: str, clients: list[HTTPConnection], body: bytes) -> tuple[float, list[int]]:
    """Stop a container and then send the rest; return the seconds and the status codes."""
    start_time = time.perf_counter()
    with subprocess.Popen(["docker", "stop", "-t=30", name], stdout=subprocess.DEVNULL):
        time.sleep(1)
        for client in clients:
            client.send(body[HALF:])
        answers = [client.getresponse().status for client in clients]
    return time.perf_counter() - start_time, answers


def main() -> None:
    """Measure and print."""
    release = read_release()
    store = Store(contract.params().store)
    packed = store.fetch(release.promoted.bundle.digest)
    folder = bundle.fetch(store, release.promoted.bundle.digest)
    # --all also removes the caches of downloads.
    engine.docker("builder", "prune", "--force", "--all", what="the cache stays")
    print(f"cold build   {timed(lambda: images.build(release.promoted, packed, NAME)):6.2f} s")
    print(f"cached       {timed(lambda: images.build(release.promoted, packed, NAME)):6.2f} s")
    layers = engine.docker("history", "--format={{.Size}}", NAME, what="no history").split()
    sizes = ", ".join(size for size in layers if size != "0B")
    print(f"size         {engine.image(NAME)['Size'] / 1e6:6.0f} MB, in layers of {sizes}")
    port = free_port()
    print(f"ready        {start(url(port), port):6.2f} s")
    memory = engine.docker("stats", "--no-stream", "--format={{.MemUsage}}", NAME, what="no stats")
    print(f"memory       {memory}")
    schema = json.loads(Path(folder, "src/schema.json").read_text(encoding="utf-8"))
    body = json.dumps({"rows": schema["examples"][:1]}).encode()
    seconds, answers = stop(NAME, half_sent(url(port), body), body)
    answered = f"{answers.count(200)} of {CLIENTS}"
    print(f"stop         {seconds:6.2f} s; {answered} running requests were answered")
    for kind in ("rm", "rmi"):
        engine.docker(kind, "--force", NAME, what=f"{NAME} stays")


if __name__ == "__main__":
    main()
