"""Serve the bundle that this file is in as one process: BentoML's worker, nothing above it.

    python -m mlops.serving.alone --host HOST --port PORT
    python -m mlops.serving.alone --fd DESCRIPTOR

What runs a container notices when its process ends, and starts another one. The supervisor of
`bentoml serve`, which would do the same, imports BentoML before its worker does it once more: half
of the time until an answer, and half of the memory. Several workers (MLOPS_WORKERS) have one.
"""

import argparse
import os
import signal
import socket
import sys
from pathlib import Path

BUNDLE = Path(__file__).parents[3]


def main() -> None:
    """Answer until told to end."""
    parser = argparse.ArgumentParser(prog="python -m mlops.serving.alone")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--fd", type=int, help="a socket that listens already")
    # A text: argparse says what is wrong with it.
    parser.add_argument("--workers", type=int, default=os.environ.get("MLOPS_WORKERS", "1"))
    options = parser.parse_args()
    os.environ["MLOPS_WORKERS"] = str(options.workers)
    if options.fd is None and options.workers > 1:
        place = ("--host", options.host, "--port", str(options.port))
        os.execv(sys.executable, [sys.executable, "-m", "bentoml", "serve", str(BUNDLE), *place])
    # While it starts: no signal ends a container's first process that does not ask for it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    descriptor = _bound(options.host, options.port) if options.fd is None else options.fd
    from _bentoml_impl.worker.service import main as work

    work.main([str(BUNDLE), "--fd", str(descriptor), "--worker-id", "1"])


def _bound(host: str, port: int) -> int:
    """Return a socket that refuses connections until the service listens, which is then ready."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        return made.detach()


if __name__ == "__main__":
    main()
