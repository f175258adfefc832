"""The OpenAPI document of the service, at /docs.json."""

from typing import Any

from mlops.serving.answer import CLASSES, Answer
from mlops.serving.schema import JsonSchema

TEXT = {"type": "string"}
MAYBE = {"type": ["string", "null"]}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


NUMBER = {"type": "number"}


def response_schema(answer: Answer) -> dict[str, Any]:
    """Return the schema of an answer to /predict, part of a release's contract with its clients."""
    parts: dict[str, Any] = {"score": NUMBER}
    if answer.names:
        parts = {"scores": _object(**dict.fromkeys(answer.names, NUMBER))}
    if answer.kind == CLASSES:
        parts = {"class": {"enum": list(answer.names)}} | parts
    predictions = {"type": "array", "items": _object(id=TEXT, **parts)}
    return _object(release_id=MAYBE, predictions=predictions)


PROBLEM = _object(error=TEXT)
PROBLEMS = _object(
    error=TEXT,
    detail={
        "type": "array",
        "items": _object(
            field=TEXT,
            problem={"enum": ["missing", "unknown", "value", "not JSON"]},
            found={"description": "what was there, shortened"},
            allowed=TEXT,
        ),
    },
)
VERSION = _object(
    name={**TEXT, "description": "name of the model"},
    release_id=MAYBE,
    environment=MAYBE,
    model_digest={**TEXT, "description": "over the files that were loaded"},
    commit=TEXT,
    data_fingerprint={**TEXT, "description": "of the rows trained on"},
    params_fingerprint=TEXT,
    started={**TEXT, "format": "date-time"},
)


def document(
    name: str, row: JsonSchema, max_rows: int, answer: Answer = Answer()
) -> dict[str, Any]:
    """Return the OpenAPI description of the service of one model."""
    body = _object(rows={"type": "array", "minItems": 1, "maxItems": max_rows, "items": row})
    content = _json({**body, "additionalProperties": False})
    content["application/json"]["example"] = {"rows": row["examples"][:1]}
    predict = {
        "operationId": "predict",
        "summary": f"Score 1 to {max_rows} rows",
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": _response(_predictions(answer), response_schema(answer)),
            "400": _response("The body is not as described; every problem is named", PROBLEMS),
            "405": _response("Only POST", PROBLEM),
            "408": _response("The request took too long to arrive", PROBLEM),
            "413": _response(
                "The body is larger, or holds more values, than so many rows", PROBLEM
            ),
            "415": _response("The body is not sent as application/json", PROBLEM),
            "500": _response("The model failed on a valid row", PROBLEM),
            "503": _response("Too many requests at once: try again after Retry-After", PROBLEM),
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "1", "description": "Scores rows with one model."},
        "servers": [{"url": "."}],
        "paths": {
            "/predict": {"post": predict},
            "/version": {"get": _get("version", "What is serving", "application/json", VERSION)},
            "/readyz": {"get": _get("readyz", "Ready: the model has answered a row")},
            "/livez": {"get": _get("livez", "Alive")},
            "/metrics": {"get": _get("metrics", "Figures for Prometheus")},
        },
    }


def _predictions(answer: Answer) -> str:
    scores = "A score" if not answer.names else f"{len(answer.names)} scores"
    return f"{scores} a row, in their order; the log knows it by `id`"


def _get(
    name: str, summary: str, media: str = "text/plain", schema: JsonSchema | None = None
) -> Any:
    content = {media: {"schema": schema or TEXT}}
    ok = {"description": summary, "content": content}
    return {"operationId": name, "summary": summary, "responses": {"200": ok}}


def _json(schema: JsonSchema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _response(description: str, schema: JsonSchema) -> dict[str, Any]:
    return {"description": description, "content": _json(schema)}


# Uses BentoML's copy of Swagger UI. No validator: the default one is a public server.
PAGE = """\
<!doctype html>
<meta charset="utf-8">
<title>Prediction service</title>
<link rel="stylesheet" href="./static_content/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="./static_content/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "docs.json", dom_id: "#swagger-ui", validatorUrl: null})</script>
"""
