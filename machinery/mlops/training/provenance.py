"""What a candidate and the champion were made from, and where that differs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from mlops.git import git
from mlops.training.record import FORMAT, Record

# What params.yaml says of the model and its verdict. The partitions that its `data` chooses are
# compared by name, and the traffic has no part in either.
SHAPING = ("train", "model", "evaluate", "gate")
CODE = ("model/*", "data/*.py")
ADDED, REMOVED, REWRITTEN, NOT_COMMITTED = "added", "left out", "rewritten", "not committed"

Origin = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One thing that differs; `before` or `after` is None where one side does not have it."""

    kind: str
    name: str
    before: str | None = None
    after: str | None = None


def origin(record: Record) -> Origin | None:
    """Return what a record says a model was made from; None for a record of another format."""
    if record.get("format") != FORMAT:
        return None
    train, holdout = record["data"]["train"], record["data"]["holdout"]
    environment = record["environment"]
    return {
        "commit": record["source"]["commit"],
        "not_committed": [name for name in record["source"]["changed"] if _is_code(name)],
        "data": {key: train[key] for key in ("partitions", "rows", "first", "last")},
        "fingerprints": {**train["fingerprints"], **holdout["fingerprints"]},
        "params": {key: record["params"]["values"].get(key, {}) for key in SHAPING},
        "versions": {
            "python": environment["python"],
            "platform": environment["platform"],
            "device": record["training"]["device"]["effective"],
            **environment["libraries"],
        },
    }


def code_changes(before: str, after: str) -> list[dict[str, Any]] | None:
    """Return the files of the team's code that differ between two commits, with lines added and
    removed (null for what is no text); None where this clone lacks one of the commits.
    """
    for commit in (before, after):
        if not git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", check=False):
            return None
    found = git("diff", "--numstat", "--no-renames", before, after, "--", *CODE)
    rows = (line.split("\t", 2) for line in found.splitlines())
    return [
        {"file": name.strip('"'), "added": _lines(added), "removed": _lines(removed)}
        for added, removed, name in rows
    ]


def _lines(count: str) -> int | None:
    return None if count == "-" else int(count)


def _is_code(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in CODE)


def differences(
    champion: Origin, candidate: Origin, code: list[dict[str, Any]] | None
) -> list[Change]:
    """Return everything that differs: partitions, then parameters, code and versions."""
    return [
        *_partitions(champion, candidate),
        *_values("parameter", champion["params"], candidate["params"]),
        *(Change("code", file["file"], None, _stat(file)) for file in code or []),
        *(Change("code", name, None, NOT_COMMITTED) for name in candidate["not_committed"]),
        *_values("version", champion["versions"], candidate["versions"]),
    ]


def _partitions(champion: Origin, candidate: Origin) -> Iterator[Change]:
    before, after = (set(origin_["data"]["partitions"]) for origin_ in (champion, candidate))
    for name in sorted(after - before):
        yield Change("partition", name, None, ADDED)
    for name in sorted(before - after):
        yield Change("partition", name, None, REMOVED)
    then, now = champion["fingerprints"], candidate["fingerprints"]
    for name in sorted(then.keys() & now.keys()):
        if then[name] != now[name]:
            yield Change("partition", name, None, REWRITTEN)


def _values(kind: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    then, now = _flat(before), _flat(after)
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield Change(kind, name, then.get(name), now.get(name))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested values by dotted key, as text."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _stat(file: dict[str, Any]) -> str:
    if file["added"] is None:
        return "not text"
    return f"+{file['added']} -{file['removed']} lines"
