"""The evidence in build/evidence/<release>/, which a promotion copies into the release file."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlops.errors import UserError
from mlops.files import digest_file, read_json
from mlops.paths import EVIDENCE
from mlops.releases.history import reaches
from mlops.releases.release import Evidence
from mlops.releases.rules.rule import require_none
from mlops.releases.rules.scope import check_on_base


def collected(release_id: str) -> list[Evidence]:
    """Return the evidence collected here about a release, with the digests of its files.

    Raises Refused if one was collected at a commit outside the history here.
    """
    return [_read(path) for path in sorted((EVIDENCE / release_id).glob("*.json"))]


def _read(path: Path) -> Evidence:
    content = read_json(path, made_by=path.stem.replace("-", ""))
    fields = {field.alias for field in Evidence.model_fields.values()}
    values: dict[str, Any] = content if isinstance(content, dict) else {}
    commit = values.get("commit")
    if commit:
        # Settings and policies of another branch prove nothing here.
        refusals = check_on_base(commit, "this branch", reaches(commit))
        require_none(f"{path} is no evidence here", refusals)
    own = {key: value for key, value in values.items() if key in fields}
    try:
        return Evidence.model_validate_json(json.dumps({**own, "digest": digest_file(path)}))
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UserError(
            f"{path} is not evidence: {mistakes}. Remove it and collect it again."
        ) from None
