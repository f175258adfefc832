"""The origins of candidate and champion (data, parameters, code, versions), and how they differ."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from mlops.git import commit_of, git
from mlops.training.record import FORMAT, Record

# The sections of params.yaml that determine the model or its verdict. The partitions that `data`
# selects are compared by name.
DETERMINING = ("train", "model", "evaluate", "gate")
CODE = ("model/*", "data/*.py")
ADDED, REMOVED, REWRITTEN, NOT_COMMITTED = "added", "left out", "rewritten", "not committed"

Origin = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One difference; `before` or `after` is None where that side lacks the item."""

    kind: str
    name: str
    before: str | None = None
    after: str | None = None


def origin(record: Record) -> Origin | None:
    """Return the origin of the model in a record; None for a record of another format."""
    if record.get("format") != FORMAT:
        return None
    train, holdout = record["data"]["train"], record["data"]["holdout"]
    environment = record["environment"]
    return {
        "commit": record["source"]["commit"],
        "not_committed": [name for name in record["source"]["changed"] if _is_code(name)],
        "data": {key: train[key] for key in ("partitions", "rows", "first", "last")},
        "fingerprints": {**train["fingerprints"], **holdout["fingerprints"]},
        "params": {key: record["params"]["values"].get(key, {}) for key in DETERMINING},
        "versions": {
            "python": environment["python"],
            "platform": environment["platform"],
            "device": record["training"]["device"]["effective"],
            **environment["libraries"],
        },
    }


def code_changes(before: str, after: str) -> list[dict[str, Any]] | None:
    """Return the team's files that differ between two commits, with lines added and removed.

    The counts are None for a binary file; the result is None where this clone lacks a commit.
    """
    for commit in (before, after):
        if commit_of(commit) is None:
            return None
    numstat = git("diff", "--numstat", "--no-renames", before, after, "--", *CODE)
    rows = (line.split("\t", 2) for line in numstat.splitlines())
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
) -> list[Difference]:
    """Return all differences: partitions, then parameters, code and versions."""
    return [
        *_partitions(champion, candidate),
        *_values("parameter", champion["params"], candidate["params"]),
        *(Difference("code", file["file"], None, _stat(file)) for file in code or []),
        *(Difference("code", name, None, NOT_COMMITTED) for name in candidate["not_committed"]),
        *_values("version", champion["versions"], candidate["versions"]),
    ]


def _partitions(champion: Origin, candidate: Origin) -> Iterator[Difference]:
    before, after = (set(one["data"]["partitions"]) for one in (champion, candidate))
    for name in sorted(after - before):
        yield Difference("partition", name, None, ADDED)
    for name in sorted(before - after):
        yield Difference("partition", name, None, REMOVED)
    then, now = champion["fingerprints"], candidate["fingerprints"]
    for name in sorted(then.keys() & now.keys()):
        if then[name] != now[name]:
            yield Difference("partition", name, None, REWRITTEN)


def _values(kind: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Difference]:
    then, now = _flat(before), _flat(after)
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield Difference(kind, name, then.get(name), now.get(name))


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
        return "binary"
    return f"+{file['added']} -{file['removed']} lines"
