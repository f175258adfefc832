"""The HTTP service of a bundle: /predict and /version, beside BentoML's probes and metrics."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

# Before the libraries are imported, which read them then. BentoML tells its makers of every start
# otherwise; and requests are what runs in parallel here, not the one row of a request.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# pylint: disable=wrong-import-position  # see above
import bentoml
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mlops.serving.log import PredictionLog
from mlops.serving.openapi import PAGE, document
from mlops.serving.problems import explain
from mlops.serving.scorer import Scorer, hide_what_is_not_locked

if TYPE_CHECKING:
    from prometheus_client import Counter

# More than the text of any value takes; a body with more a value is not read to its end.
BYTES_A_VALUE = 1024

logger = logging.getLogger("bentoml.mlops")
logging.getLogger("bentoml").setLevel(os.environ.get("MLOPS_LOG_LEVEL", "INFO").upper())


@dataclass
class Live:
    """What a running service holds."""

    scorer: Scorer
    version: dict[str, Any]
    document: dict[str, Any]
    log: PredictionLog | None
    predictions: "Counter"
    unlogged: "Counter"
    log_works: bool = True

    @property
    def max_bytes(self) -> int:
        """The size beyond which a body is refused unread."""
        return BYTES_A_VALUE * (self.scorer.max_rows * len(self.scorer.fields) + 1)


async def predict(request: Request) -> Response:
    """Answer POST /predict, on the event loop: a thread would cost as much as the answer."""
    live: Live = request.app.state.live
    body = await _body(request, live.max_bytes)
    rows = live.scorer.request.validate_json(body)["rows"]
    try:
        scores = live.scorer.score(rows)
    except Exception:  # pylint: disable=broad-except  # whatever a team's model raises
        # Not left to Starlette: it would end the connection, and the client's next request with it.
        logger.exception("the model failed on rows that keep to its schema")
        return JSONResponse({"error": "The model could not score these rows."}, 500)
    predictions = [{"id": uuid4().hex, "score": score} for score in scores]
    live.predictions.inc(len(rows))
    _log(live, rows, predictions)
    answer = to_json({"release_id": live.version["release_id"], "predictions": predictions})
    return Response(answer, media_type="application/json")


async def version(request: Request) -> Response:
    """Answer GET /version."""
    return JSONResponse(request.app.state.live.version)


async def docs(request: Request) -> Response:
    """Answer GET /docs.json."""
    return JSONResponse(request.app.state.live.document)


async def page(_: Request) -> Response:
    """Answer GET / with the page that shows /docs.json."""
    return HTMLResponse(PAGE)


async def _body(request: Request, most: int) -> bytes:
    media = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if media != "application/json" or "content-encoding" in request.headers:
        raise HTTPException(415, f"Send the body as plain application/json, not as {media}.")
    parts, size = [], 0
    try:
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > most:
                raise HTTPException(413, f"The body is over {most:,} bytes. Send fewer rows.")
    except ClientDisconnect:
        raise HTTPException(400, "The connection ended before the body did.") from None
    return b"".join(parts)


def _log(live: Live, rows: list[dict], predictions: list[dict]) -> None:
    if live.log is None:
        return
    try:
        live.log.write(live.version["release_id"], rows, predictions)
        live.log_works = True
    except OSError as error:
        # A full disk must not stop the answers: the metric tells of it, and one line in the log.
        live.unlogged.inc(len(rows))
        if live.log_works:
            logger.error("predictions are answered but not logged: %s", error)
        live.log_works = False


async def refuse(request: Request, error: Exception) -> Response:
    """Answer a request that is not as /docs.json says."""
    if isinstance(error, ValidationError):
        scorer = request.app.state.live.scorer
        return JSONResponse(explain(error, scorer.schema, scorer.max_rows), 400)
    text = error.detail
    if error.status_code == 405:
        text = f"{request.url.path} takes {error.headers['Allow']}, not {request.method}."
    return JSONResponse({"error": text}, error.status_code, headers=error.headers)


# Mounted rather than written as a bentoml.api: that words its errors itself, answers an empty list
# with 500, describes only what pydantic models can, and takes twice the time.
app = Starlette(
    routes=[
        Route("/predict", predict, methods=["POST"]),
        Route("/version", version),
        # Found before BentoML's own: its /docs.json does not know mounted routes, and its page
        # loads Google's tag manager.
        Route("/docs.json", docs),
        Route("/", page),
    ],
    exception_handlers={ValidationError: refuse, HTTPException: refuse},
)


@bentoml.service(name="predictor", workers=int(os.environ.get("MLOPS_WORKERS", "1")))
@bentoml.asgi_app(app)
class Predictor:
    """Loads the model and answers one row with it; only then is the service ready."""

    def __init__(self) -> None:
        hide_what_is_not_locked()
        scorer = Scorer()
        scorer.warm_up()
        told = scorer.version()
        described = document(told["name"], scorer.schema, scorer.max_rows)
        app.state.live = Live(scorer, told, described, _prediction_log(), *_counters(told))


def _prediction_log() -> PredictionLog | None:
    folder = os.environ.get("MLOPS_PREDICTIONS")
    if not folder:
        return None
    worker = bentoml.server_context.worker_index or 1
    return PredictionLog(Path(folder), f"predictions-{worker}")


def _counters(told: dict[str, Any]) -> tuple["Counter", "Counter"]:
    """Say in a metric what is serving; return the counters of rows scored and rows not logged."""
    # Imported late: prometheus_client decides on import whether several processes share figures,
    # by a variable that BentoML sets when it starts a worker.
    from prometheus_client import Counter, Gauge

    labels = ("name", "release_id", "environment", "model_digest", "commit")
    info = Gauge("mlops_release_info", "What is serving", labels, multiprocess_mode="livemax")
    info.labels(*(told[label] or "" for label in labels)).set(1)
    return (
        Counter("mlops_predictions", "Rows scored"),
        Counter("mlops_predictions_unlogged", "Rows scored but missing in the prediction log"),
    )
