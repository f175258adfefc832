"""GitHub's official OpenAPI description, and what it says of a call: request and answer.

Fetched once into build/cache/ from the npm registry, where GitHub publishes it.
"""

import gzip
import io
import json
import re
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from jsonschema import Draft202012Validator

from mlops import files

VERSION = "23.0.2"
ADDRESS = f"https://registry.npmjs.org/@octokit/openapi/-/openapi-{VERSION}.tgz"
MEMBER = "package/generated/api.github.com.json"
CACHE = Path(__file__).parents[3] / f"build/cache/github-openapi-{VERSION}.json.gz"


@cache
def description() -> dict:
    """Return the description; skips the test, with the reason, where it cannot be reached."""
    if not CACHE.exists():
        try:
            answer = httpx.get(ADDRESS, timeout=120, follow_redirects=True)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            pytest.skip(f"GitHub's OpenAPI description cannot be had from {ADDRESS}: {error!r}")
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            files.write(CACHE, gzip.compress(archive.extractfile(MEMBER).read()))
    return json.loads(gzip.decompress(CACHE.read_bytes()))


def resolve(schema: dict) -> dict:
    """Follow references until there is a schema."""
    while "$ref" in schema:
        found = description()
        for key in schema["$ref"][2:].split("/"):
            found = found[key.replace("~1", "/")]
        schema = found
    return schema


@cache
def _paths() -> list[tuple[re.Pattern, str]]:
    """Every path as a pattern; those with fewer placeholders first, then the longer."""
    # A branch may hold a slash, which GitHub takes as it is.
    wide = {"ref", "branch", "path", "basehead"}
    found = []
    for path in sorted(description()["paths"], key=lambda path: (path.count("{"), -len(path))):
        pattern = re.sub(r"\{(\w+)\}", lambda m: ".+" if m[1] in wide else "[^/]+", path)
        found.append((re.compile(pattern), path))
    return found


def operation(method: str, path: str) -> dict | None:
    """Return what the description says of a request, None where it knows no such thing."""
    for pattern, name in _paths():
        if pattern.fullmatch(path) and method.lower() in (item := description()["paths"][name]):
            return item[method.lower()] | {
                "parameters": [
                    *map(resolve, item.get("parameters", [])),
                    *map(resolve, item[method.lower()].get("parameters", [])),
                ]
            }
    return None


@dataclass(frozen=True)
class _Said:
    """A call as text: tests say many things alike, and each is judged once."""

    method: str
    path: str
    query: str
    status: int
    request: str
    answered: str

    @property
    def body(self):
        """The request's body."""
        return json.loads(self.request)

    @property
    def answer(self):
        """What was answered."""
        return json.loads(self.answered)


def mistakes(call) -> list[str]:
    """Return everything in a call that the description does not allow."""
    texts = json.dumps(call.body), json.dumps(call.answer)
    return _mistakes(_Said(call.method, call.path, call.query, call.status, *texts))


@cache
def _mistakes(call: _Said) -> list[str]:
    said = operation(call.method, call.path)
    if said is None:
        return [f"GitHub has no {call.method} {call.path}"]
    where = f"{call.method} {call.path}"
    known = {one["name"] for one in said["parameters"] if one["in"] == "query"}
    found = [
        f"{where}: no parameter {name!r}" for name, _ in parse_qsl(call.query) if name not in known
    ]
    # A bad request is answered with 4xx, here as there: only its answer is judged.
    if call.status < 400:
        found += [f"{where}, request {text}" for text in _request_mistakes(said, call.body)]
    return [*found, *(f"{where}, answer {text}" for text in _answer_mistakes(said, call))]


def _request_mistakes(said: dict, body) -> list[str]:
    wanted = said.get("requestBody")
    if wanted is None:
        return [] if body is None else ["has a body, and none is read"]
    schema = wanted["content"]["application/json"]["schema"]
    if body is None:
        return ["has no body"] if wanted.get("required") else []
    properties = resolve(schema).get("properties")
    # GitHub ignores what it does not know; here that is a typing mistake.
    unknown = sorted(set(body) - set(properties)) if properties else []
    return [f"has the unknown key {key!r}" for key in unknown] + wrong(schema, body)


def _answer_mistakes(said: dict, call) -> list[str]:
    answers = said["responses"]
    # These may be answered to anything, also where it is not said, as 422 to many a request.
    if str(call.status) not in answers:
        return (
            []
            if call.status in (401, 403, 404, 422, 429) or call.status >= 500
            else [f"has the status {call.status}; allowed: {', '.join(answers)}"]
        )
    content = resolve(answers[str(call.status)]).get("content", {})
    schema = next((kind["schema"] for name, kind in content.items() if "json" in name), None)
    if schema is None:
        # That an error has words is seldom said.
        told = call.answer is None or call.status >= 400
        return [] if told else [f"{call.status} has a body"]
    return [f"{call.status} {text}" for text in wrong(schema, call.answer)]


def wrong(schema: dict, value) -> list[str]:
    """Return where a value is not what a schema of the description allows."""
    errors = _validator(json.dumps(schema)).iter_errors(value)
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in errors]


@cache
def _validator(schema: str) -> Draft202012Validator:
    definitions: dict[str, dict] = {}
    root = _modern(json.loads(schema), definitions)
    return Draft202012Validator(root | {"$defs": definitions})


def _modern(part, definitions: dict):
    """Turn OpenAPI 3.0 into JSON Schema: references gathered, `nullable` said with a type."""
    if isinstance(part, list):
        return [_modern(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    if isinstance(part.get("$ref"), str):
        name = part["$ref"].rsplit("/", 1)[1]
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = _modern(resolve(part), definitions)
        return {"$ref": f"#/$defs/{name}"}
    # An example may hold anything, words of the schema language among it.
    kept = {key: value for key, value in part.items() if key not in ("example", "examples")}
    new = {key: _modern(value, definitions) for key, value in kept.items()}
    if new.pop("nullable", False) is True:
        return {"anyOf": [new, {"type": "null"}]}
    return new
