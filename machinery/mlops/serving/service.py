"""The service of a bundle: what `bentoml serve` starts, with all paths but /predict."""

import gc
import logging
import os
import sys
from pathlib import Path
from typing import Any

# Before the libraries are imported, which read them then. BentoML tells its makers of every start
# otherwise; and requests are what runs in parallel here, not the one row of a request.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# pylint: disable=wrong-import-position  # see above
import bentoml
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mlops.serving.batching import Queue
from mlops.serving.front import Front, Live
from mlops.serving.journal import Journal
from mlops.serving.limits import Room
from mlops.serving.log import PredictionLog
from mlops.serving.metrics import Metrics, Predictions, exposition, settle_files
from mlops.serving.openapi import PAGE, document
from mlops.serving.scorer import Scorer, hide_what_is_not_locked
from mlops.serving.writer import Writer

LOG_FILES = 6
# How often the supervisor looks for workers that died.
CHECK_SECONDS = 1.0

logging.getLogger("bentoml").setLevel(os.environ.get("MLOPS_LOG_LEVEL", "INFO").upper())


async def version(request: Request) -> Response:
    """Answer GET /version."""
    return JSONResponse(request.app.state.live.version)


async def docs(request: Request) -> Response:
    """Answer GET /docs.json."""
    return JSONResponse(request.app.state.live.document)


async def page(_: Request) -> Response:
    """Answer GET / with the page that shows /docs.json."""
    return HTMLResponse(PAGE)


async def metrics(request: Request) -> Response:
    """Answer GET /metrics, off the event loop: the files of all workers are read."""
    request.app.state.live.journal.settle()
    content, media = await to_thread.run_sync(exposition)
    return Response(content, headers={"content-type": media})


async def refuse(request: Request, error: HTTPException) -> Response:
    """Answer a request that is not as /docs.json says."""
    text = error.detail
    if error.status_code == 405:
        text = f"{request.url.path} takes {error.headers['Allow']}, not {request.method}."
    return JSONResponse({"error": text}, error.status_code, headers=error.headers)


# Mounted rather than written as bentoml.api: that words its errors itself, answers an empty list
# with 500 and describes only what pydantic models can.
app = Starlette(
    routes=[
        Route("/version", version),
        # Found before BentoML's own: its /docs.json does not know mounted routes, and its page
        # loads Google's tag manager.
        Route("/docs.json", docs),
        Route("/", page),
        Route("/metrics", metrics),
    ],
    exception_handlers={HTTPException: refuse},
)


if "bentoml_cli" in sys.modules:
    # This process is the supervisor, which would look every ten seconds, whatever is configured.
    from bentoml._internal.utils.circus import Arbiter

    Arbiter.check_delay = property(lambda _: CHECK_SECONDS, lambda *_: None)


class Fronted(bentoml.Service):
    """A BentoML service that scores before BentoML's middlewares, which take longer, are asked."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """Return BentoML's application behind ours."""
        # BentoML names no protocol to uvicorn, which then takes the one that is called this.
        uvicorn.config.HTTP_PROTOCOLS["auto"] = "mlops.serving.connection:Connection"
        return Front(super().to_asgi(is_main), app.state)


@bentoml.service(
    name="predictor",
    service_class=Fronted,
    workers=int(os.environ.get("MLOPS_WORKERS", "1")),
    # Its figures have a label for every path that anybody asks for, without end.
    metrics={"enabled": False},
)
@bentoml.asgi_app(app)
class Predictor:
    """Loads the model and answers one row with it; only then is the service ready."""

    def __init__(self) -> None:
        hide_what_is_not_locked()
        scorer = Scorer()
        scorer.warm_up()
        told = scorer.version()
        described = document(told["name"], scorer.schema, scorer.max_rows)
        figures = Metrics(told)
        predictions = Predictions(scorer.record["data"]["reference"], scorer.schema["properties"])
        log = _prediction_log(scorer.limits["log_mb"], figures)
        room = _room(scorer.limits)
        journal = Journal(told["release_id"], figures, predictions, log)
        queue = Queue(scorer, room, journal)
        app.state.live = Live(scorer, told, described, figures, journal, room, queue)
        settle_files()
        # What is there now stays: searching it for garbage would stop answers for a while.
        gc.collect()
        gc.freeze()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Write the predictions that were answered and not yet logged."""
        app.state.live.journal.close()


def _room(limits: dict[str, Any]) -> Room:
    kept = ("max_waiting", "max_wait_seconds", "batch_rows", "max_connections", "arrive_seconds")
    held = limits["max_held_mb"] * 2**20
    return Room(max_held_bytes=held, **{name: limits[name] for name in kept})


def _prediction_log(megabytes: int, figures: Metrics) -> Writer | None:
    folder = os.environ.get("MLOPS_PREDICTIONS")
    if not folder:
        return None
    name = f"predictions-{bentoml.server_context.worker_index or 1}"
    largest = megabytes * 2**20 // LOG_FILES
    log = PredictionLog(Path(folder), name, largest, kept=LOG_FILES - 1)
    writer = Writer(log, figures.unlogged.inc)
    writer.start()
    return writer
