"""The service of a bundle, which `bentoml serve` starts; defines all paths but /predict."""

import gc
import logging
import os
import sys
from pathlib import Path
from typing import Any

# Set before the imports, since the libraries read them on import. BentoML would report every start
# to its makers. One OpenMP thread is enough: requests run in parallel, not the rows of one request.
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

from mlops.serving.batching import BatchQueue
from mlops.serving.limits import Capacity
from mlops.serving.log import PredictionLog
from mlops.serving.metrics import Metrics, PredictionMetrics, exposition, prepare_metric_files
from mlops.serving.middleware import PredictMiddleware, ServiceState
from mlops.serving.openapi import PAGE, document
from mlops.serving.recorder import Recorder
from mlops.serving.scorer import Scorer, hide_what_is_not_locked
from mlops.serving.writer import LogWriter

LOG_FILES = 6
# The interval in which the supervisor looks for dead workers.
CHECK_SECONDS = 1.0

logging.getLogger("bentoml").setLevel(os.environ.get("MLOPS_LOG_LEVEL", "INFO").upper())


async def version(request: Request) -> Response:
    """Answer GET /version."""
    return JSONResponse(request.app.state.service.version)


async def docs(request: Request) -> Response:
    """Answer GET /docs.json."""
    return JSONResponse(request.app.state.service.document)


async def page(_: Request) -> Response:
    """Answer GET / with the page that shows /docs.json."""
    return HTMLResponse(PAGE)


async def metrics(request: Request) -> Response:
    """Answer GET /metrics, off the event loop since it reads the files of all workers."""
    request.app.state.service.recorder.flush()
    content, media_type = await to_thread.run_sync(exposition)
    return Response(content, headers={"content-type": media_type})


async def refuse(request: Request, error: HTTPException) -> Response:
    """Answer a request with a path or method that /docs.json does not list."""
    text = error.detail
    if error.status_code == 405:
        text = f"{request.url.path} takes {error.headers['Allow']}, not {request.method}."
    return JSONResponse({"error": text}, error.status_code, headers=error.headers)


# Mounted, not written as bentoml.api: that has its own error texts, answers an empty list with 500
# and describes only pydantic models.
app = Starlette(
    routes=[
        Route("/version", version),
        # These two replace BentoML's own: its /docs.json lacks mounted routes, and its page loads
        # Google's tag manager.
        Route("/docs.json", docs),
        Route("/", page),
        Route("/metrics", metrics),
    ],
    exception_handlers={HTTPException: refuse},
)


if "bentoml_cli" in sys.modules:
    # This process is the supervisor; it would look every ten seconds, whatever the configuration.
    from bentoml._internal.utils.circus import Arbiter

    Arbiter.check_delay = property(lambda _: CHECK_SECONDS, lambda *_: None)


class PredictorService(bentoml.Service):
    """A BentoML service that answers /predict before BentoML's slow middlewares."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """Return BentoML's application behind our middleware."""
        # BentoML configures no protocol, so uvicorn uses the one named "auto".
        uvicorn.config.HTTP_PROTOCOLS["auto"] = "mlops.serving.connection:Connection"
        return PredictMiddleware(super().to_asgi(is_main), app.state)


@bentoml.service(
    name="predictor",
    service_class=PredictorService,
    workers=int(os.environ.get("MLOPS_WORKERS", "1")),
    # BentoML's metrics have a label for every requested path, so clients could grow them for ever.
    metrics={"enabled": False},
)
@bentoml.asgi_app(app)
class Predictor:
    """Loads the model and scores one row with it; only then is the service ready."""

    def __init__(self) -> None:
        hide_what_is_not_locked()
        scorer = Scorer()
        scorer.warm_up()
        identity = scorer.version()
        description = document(identity["name"], scorer.schema, scorer.max_rows, scorer.answer)
        request_metrics = Metrics(identity)
        reference, fields = scorer.record["data"]["reference"], scorer.schema["properties"]
        max_unseen = scorer.record["params"]["values"]["check"]["max_unseen"]
        prediction_metrics = PredictionMetrics(reference, fields, scorer.answer, max_unseen)
        log = _prediction_log(scorer.limits["log_mb"], request_metrics)
        recorder = Recorder(identity["release_id"], request_metrics, prediction_metrics, log)
        capacity = _capacity(scorer.limits)
        queue = BatchQueue(scorer, capacity, recorder)
        app.state.service = ServiceState(
            scorer, identity, description, request_metrics, recorder, capacity, queue
        )
        prepare_metric_files()
        # All objects so far live as long as the process; collecting them would delay answers.
        gc.collect()
        gc.freeze()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Write the predictions that were answered but not yet logged."""
        app.state.service.recorder.close()


def _capacity(limits: dict[str, Any]) -> Capacity:
    names = ("max_waiting", "max_wait_seconds", "batch_rows", "max_connections", "arrive_seconds")
    max_held_bytes = limits["max_held_mb"] * 2**20
    return Capacity(max_held_bytes=max_held_bytes, **{name: limits[name] for name in names})


def _prediction_log(megabytes: int, request_metrics: Metrics) -> LogWriter | None:
    folder = os.environ.get("MLOPS_PREDICTIONS")
    if not folder:
        return None
    name = f"predictions-{bentoml.server_context.worker_index or 1}"
    max_file_bytes = megabytes * 2**20 // LOG_FILES
    log = PredictionLog(Path(folder), name, max_file_bytes, old_files=LOG_FILES - 1)
    writer = LogWriter(log, request_metrics.unlogged.inc)
    writer.start()
    return writer
