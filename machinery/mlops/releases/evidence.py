"""Evidence that steps leave in build/evidence/<release>/, as a promotion carries it along."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlops.errors import UserError
from mlops.files import digest_file, read_json
from mlops.paths import EVIDENCE
from mlops.releases.history import reaches
from mlops.releases.refusals import ON_BASE, refused
from mlops.releases.release import Evidence


def collected(release_id: str) -> list[Evidence]:
    """Return the evidence collected here about a release, with the digests of its files.

    Raises Refused for one that was collected at a commit which is not part of the history here.
    """
    return [_read(path) for path in sorted((EVIDENCE / release_id).glob("*.json"))]


def _read(path: Path) -> Evidence:
    content = read_json(path, made_by=path.stem.replace("-", ""))
    known = {field.alias for field in Evidence.model_fields.values()}
    values: dict[str, Any] = content if isinstance(content, dict) else {}
    commit = values.get("commit")
    if commit and not reaches(commit):
        # Settings and policies of another branch prove nothing here.
        refusal = ON_BASE.refuse(commit=commit[:12], base="this branch")
        raise refused(f"{path} is no evidence here", [refusal])
    kept = {key: value for key, value in values.items() if key in known}
    try:
        return Evidence.model_validate_json(json.dumps({**kept, "digest": digest_file(path)}))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UserError(
            f"{path} is not evidence: {wrong}. Remove it and collect it again."
        ) from None
