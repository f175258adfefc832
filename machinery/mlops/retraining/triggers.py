"""The reasons to retrain production's model, and the test for an identical model. Pure."""

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
    """One reason to retrain: `new data`, `performance`, `drift` or `age`."""

    kind: str
    reason: str


def new_partitions(partitions: Sequence[str], last: str | None) -> list[str]:
    """Return the partitions newer than params.yaml's data.last; UserError if that is none."""
    if last is None:
        raise UserError(
            f"{PARAMS}: data.last is not set, so every partition is used as soon as it arrives, "
            "and no commit records it. Name the newest one in use, e.g. "
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
    release: Release,
    max_age_days: int | None,
    today: date,
) -> list[Trigger]:
    """Return every reason to retrain: newer partitions, monitor's alarm, the release's age.

    `release` is production's. `monitored` is the content of build/monitor.json; it is ignored if
    it is about another release.
    """
    reasons = []
    if newer:
        arrived = "arrived" if len(newer) == 1 else "arrived, oldest first"
        reasons.append(Trigger("new data", f"{', '.join(newer)} {arrived}."))
    if monitored and monitored.get("release_id") == release.release_id:
        if monitored.get("trigger") in ALARMS:
            reasons.append(Trigger(monitored["trigger"], f"{MONITOR}: {monitored['reason']}"))
    age = (today - _build_date(release.release_id)).days
    if max_age_days is not None and age > max_age_days:
        reason = f"{release.release_id} is {age} days old, {max_age_days} allowed"
        reasons.append(Trigger("age", f"{reason} (retrain.max_age_days)."))
    return reasons


def _build_date(release_id: str) -> date:
    """Return the date in a release id: the date of the commit it was built from."""
    return date.fromisoformat(release_id.rsplit("-", 3)[1])


def adopt(text: str, newest: str) -> str:
    """Return params.yaml's text with another data.last; every other character stays.

    The text must be valid parameters that set data.last.
    """
    node: Any = yaml.compose(text, yaml.SafeLoader)
    for key in ("data", "last"):
        node = next(value for name, value in node.value if name.value == key)
    start, end = node.start_mark.index, node.end_mark.index
    plain = re.fullmatch(r"[\w.-]+", newest) and _is_text(newest)
    quoted = "'" + newest.replace("'", "''") + "'"
    return text[:start] + (newest if plain else quoted) + text[end:]


def _is_text(plain: str) -> bool:
    """Return whether YAML reads a plain word as text or a day, as params.yaml is read."""
    try:
        return isinstance(yaml.safe_load(plain), (str, date))
    # 2024-13-45 looks like a day and is none.
    except ValueError:
        return False


def same_model(model_digest: str, releases: Iterable[Release]) -> Release | None:
    """Return the release among these with this model, whatever commit it was built from."""
    return next((r for r in releases if r.promoted.model.digest == model_digest), None)


def refusal(code: int, verdict: Mapping[str, Any] | None, check: Mapping[str, Any] | None) -> str:
    """Return why the steps failed with this exit code, from the files of gate and check-data."""
    if verdict:
        return f"the verdict of the gate is {verdict['verdict']}: {verdict['reason']}"
    if check and check["verdict"] != "pass":
        return f"the verdict of check-data is {check['verdict']}: {check['reason']}"
    return f"the steps ended with exit code {code}; their messages are above"
