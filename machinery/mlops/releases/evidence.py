"""The evidence in build/evidence/<release>/, which a promotion copies into the release file."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlops.errors import UserError
from mlops.files import digest_file, read_json
from mlops.paths import EVIDENCE
from mlops.releases.history import reaches
from mlops.releases.release import Evidence, Release
from mlops.releases.rules.rule import require_none
from mlops.releases.rules.scope import check_on_base


def collected(release_id: str) -> list[Evidence]:
    """Return the evidence collected here about a release, with the digests of its files.

    Raises Refused if one was collected at a commit outside the history here, UserError if one
    names no commit.
    """
    return [_judged(path) for path in _files(release_id)]


def contradicting(release: Release) -> tuple[str, ...]:
    """Return the files here that a release's evidence should be from, but is not.

    These are the files about the same release, kind and environment as some of its evidence, and
    from before its promotion, whose digest it does not name.
    """
    origin = release.spec.promoted_from
    if origin is None or release.spec.rollback:
        return ()
    proofs = release.spec.evidence
    return tuple(
        path.as_posix()
        for path in _files(release.release_id)
        for actual in [_read(path)]
        if actual.at <= origin.at
        and any((e.kind, e.environment) == (actual.kind, actual.environment) for e in proofs)
        and all(e.digest != actual.digest for e in proofs)
    )


def _files(release_id: str) -> list[Path]:
    return sorted((EVIDENCE / release_id).glob("*.json"))


def _judged(path: Path) -> Evidence:
    evidence, commit = _read(path), _content(path).get("commit")
    if not isinstance(commit, str) or not re.fullmatch("[0-9a-f]{40}", commit):
        raise UserError(
            f"{path} is not evidence: its commit is {commit!r}, not the full id of the commit that "
            "it was collected at. Remove it and collect it again."
        )
    # Settings and policies of another branch prove nothing here.
    refusals = check_on_base(commit, "this branch", reaches(commit))
    require_none(f"{path} is no evidence here", refusals)
    return evidence


def _content(path: Path) -> dict[str, Any]:
    content = read_json(path, made_by=path.stem.replace("-", ""))
    return content if isinstance(content, dict) else {}


def _read(path: Path) -> Evidence:
    fields = {field.alias for field in Evidence.model_fields.values()}
    own = {key: value for key, value in _content(path).items() if key in fields}
    try:
        return Evidence.model_validate_json(json.dumps({**own, "digest": digest_file(path)}))
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UserError(
            f"{path} is not evidence: {mistakes}. Remove it and collect it again."
        ) from None
