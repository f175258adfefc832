"""Serve the bundle that holds this file in one process: BentoML's worker, without its supervisor.

    python -m mlops.serving.alone --host HOST --port PORT
    python -m mlops.serving.alone --fd DESCRIPTOR

Docker or the cluster restarts a container whose process ends, so a supervisor is redundant. That of
`bentoml serve` imports BentoML a second time, which doubles the start time and the memory. Several
workers (MLOPS_WORKERS) still run below it.
"""

import argparse
import os
import signal
import socket
import sys
from pathlib import Path

BUNDLE = Path(__file__).parents[3]


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m mlops.serving.alone")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--fd", type=int, help="the descriptor of a bound socket")
    # argparse checks a default that is text, and prints an error for a bad one.
    parser.add_argument("--workers", type=int, default=os.environ.get("MLOPS_WORKERS", "1"))
    options = parser.parse_args()
    os.environ["MLOPS_WORKERS"] = str(options.workers)
    if options.fd is None and options.workers > 1:
        address = ("--host", options.host, "--port", str(options.port))
        os.execv(sys.executable, [sys.executable, "-m", "bentoml", "serve", str(BUNDLE), *address])
    # For the start: the kernel ignores SIGTERM for a container's first process without a handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    descriptor = _bound_socket(options.host, options.port) if options.fd is None else options.fd
    from _bentoml_impl.worker.service import main as worker

    worker.main([str(BUNDLE), "--fd", str(descriptor), "--worker-id", "1"])


def _bound_socket(host: str, port: int) -> int:
    """Return a bound socket; it refuses connections until the service listens and is ready."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        return bound.detach()


if __name__ == "__main__":
    main()
