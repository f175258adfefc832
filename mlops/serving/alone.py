"""Serve the bundle whose `src` is the working directory, in one process, on an inherited socket.

    python -m mlops.serving.alone DESCRIPTOR

The same answers, model and schema as behind `bentoml serve`, without its supervisor and
workers: `package` asks it a few rows before anything is stored.
"""

import socket
import sys

import uvicorn

from mlops.serving.connection import Connection
from mlops.serving.front import Front
from mlops.serving.service import Predictor, app


def main() -> None:
    """Load the model and answer until told to end."""
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        Predictor.inner()  # pylint: disable=no-member  # the decorator made a Service of it
        front = Front(app, app.state)
        config = uvicorn.Config(front, http=Connection, log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
