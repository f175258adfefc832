"""Why to train production's model anew, and what would not be new; no git, no training."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

from mlops.errors import UserError
from mlops.paths import MONITOR, PARAMS
from mlops.releases.release import Release

ALARMS = ("performance", "drift")


@dataclass(frozen=True)
class Trigger:
    """One reason to train anew: `new data`, `performance`, `drift` or `age`."""

    kind: str
    reason: str


def new_partitions(partitions: Sequence[str], last: str | None) -> list[str]:
    """Return the partitions newer than params.yaml's data.last; UserError if that names none."""
    if last is None:
        raise UserError(
            f"{PARAMS}: data.last is not set, so every partition is used as soon as it is there, "
            "and no commit says so. Name the newest one in use, e.g. "
            f"`last: {partitions[-1] if partitions else '2013-11'}`: retraining changes that line."
        )
    if last not in partitions:
        raise UserError(
            f"{PARAMS}: data.last is {last!r}, which is no partition. "
            f"There are {', '.join(partitions) or 'none'}."
        )
    return list(partitions[partitions.index(last) + 1 :])


def triggers(
    newer: Sequence[str],
    monitored: Mapping[str, Any] | None,
    held: Release,
    max_age_days: int | None,
    today: date,
) -> list[Trigger]:
    """Return every reason to train anew: newer partitions, monitor's alarm, the release's age.

    `monitored` is what build/monitor.json says; about another release than `held` it says nothing.
    """
    found = []
    if newer:
        arrived = "arrived" if len(newer) == 1 else "arrived, oldest first"
        found.append(Trigger("new data", f"{', '.join(newer)} {arrived}."))
    if monitored and monitored.get("release_id") == held.release_id:
        if monitored.get("trigger") in ALARMS:
            found.append(Trigger(monitored["trigger"], f"{MONITOR}: {monitored['reason']}"))
    age = (today - _built(held.release_id)).days
    if max_age_days is not None and age > max_age_days:
        reason = f"{held.release_id} is {age} days old, {max_age_days} allowed"
        found.append(Trigger("age", f"{reason} (retrain.max_age_days)."))
    return found


def _built(release_id: str) -> date:
    """Return the date in a release id: that of the commit it was built from."""
    return date.fromisoformat(release_id.rsplit("-", 3)[1])


def adopt(text: str, newest: str) -> str:
    """Return params.yaml's text with data.last naming a partition, all else letter for letter.

    The text has been read as parameters before, and sets data.last.
    """
    node: Any = yaml.compose(text, yaml.SafeLoader)
    for key in ("data", "last"):
        node = next(value for name, value in node.value if name.value == key)
    start, end = node.start_mark.index, node.end_mark.index
    plain = re.fullmatch(r"[\w.-]+", newest) and isinstance(yaml.safe_load(newest), (str, date))
    quoted = "'" + newest.replace("'", "''") + "'"
    return text[:start] + (newest if plain else quoted) + text[end:]


def twin(model_digest: str, releases: Iterable[Release]) -> Release | None:
    """Return the release among these that is this very model, whatever commit it came from."""
    return next((r for r in releases if r.promoted.model.digest == model_digest), None)


def refusal(code: int, verdict: Mapping[str, Any] | None, check: Mapping[str, Any] | None) -> str:
    """Say why steps that ended with a code other than 0 did, from the gate's and check's files."""
    if verdict:
        return f"the gate says {verdict['verdict']}: {verdict['reason']}"
    if check and check["verdict"] != "pass":
        return f"check-data says {check['verdict']}: {check['reason']}"
    return f"the steps ended with {code}; what they said stands above"
