"""What the image weighs and how long it takes: PYTHONPATH=. python benchmarks/image.py

Builds the image of what was packed last (`make package`) from nothing, but for the base image, and
again with everything cached; starts it caged, asks until it is ready, and stops it while eight
clients ask. Needs Docker, and leaves no image behind.
"""

import json
import subprocess
import threading
import time
from pathlib import Path

from mlops import bundle, contract, engine, images, probe
from mlops.release import read_release
from mlops.store import Store
from mlops.targets.docker import CAGE, PORT
from mlops.targets.front import free_port, url

NAME = "mlops-benchmark"
CLIENTS = 8


def timed(call) -> float:
    """Return the seconds that a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def start(address: str, port: int) -> float:
    """Start a container and return the seconds until it is ready."""

    def run() -> None:
        options = [f"--name={NAME}", f"--publish=127.0.0.1:{port}:{PORT}", *CAGE]
        engine.docker("run", "--detach", *options, NAME, what="not started")
        while not probe.ready(address):
            time.sleep(0.01)

    return timed(run)


def stop(address: str, body: bytes) -> tuple[float, int, int]:
    """Stop it under load; return seconds, requests answered, and requests lost on the way."""
    answered, lost = [], []

    def ask() -> None:
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"{address}/predict"]
        data = ["-H", "content-type: application/json", "--data-binary", "@-"]
        while True:
            done = subprocess.run([*command, *data], input=body, capture_output=True, check=False)
            if done.returncode == 7:  # nobody takes connections any more
                return
            (answered if done.stdout == b"200" else lost).append(done.stderr)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(2)
    seconds = timed(lambda: engine.docker("stop", "--time=30", NAME, what="not stopped"))
    for client in clients:
        client.join()
    return seconds, len(answered), len(lost)


def main() -> None:
    """Measure and print."""
    release = read_release()
    store = Store(contract.params().store)
    packed = store.fetch(release.promoted.bundle.digest)
    folder = bundle.fetch(store, release.promoted.bundle.digest)
    # With --all also the caches that hold what was downloaded.
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
    seconds, answered, lost = stop(url(port), body)
    print(f"stop         {seconds:6.2f} s under load: {answered} requests answered, {lost} lost")
    for kind in ("rm", "rmi"):
        engine.docker(kind, "--force", NAME, what=f"{NAME} stays")


if __name__ == "__main__":
    main()
