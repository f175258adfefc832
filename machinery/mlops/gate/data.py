"""Rules about the rows: they were checked, and the held-out ones are later."""

from collections.abc import Iterator
from typing import Any

from mlops.gate.formatting import Measured
from mlops.rules import Finding, Rule
from mlops.training.record import Record

DATA_CHECKED = Rule("D101", "Every row used for training or evaluation conforms to data.SCHEMA.")
HELD_OUT = Rule(
    "M101", "The held-out rows are later than all rows that candidate and champion trained on."
)


def data_checked(record: Record, check: dict[str, Any] | None) -> Iterator[Finding]:
    """Return the findings of check-data, if it checked the rows in use."""
    data = record["data"]
    used = {**data["train"]["fingerprints"], **data["holdout"]["fingerprints"]}
    if check is None:
        message = "The data were not checked. Run `make check-data`."
        yield DATA_CHECKED.finding("data", False, message)
    elif check["fingerprints"] != used:
        message = "The data that were checked are not the data in use. Run `make check-data` again."
        yield DATA_CHECKED.finding("data", False, message)
    else:
        yield from (Finding.from_dict(values) for values in check["findings"])


def held_out(record: Record, champion: Measured | None) -> Iterator[Finding]:
    """Check that neither model was trained on a held-out row or a later one."""
    data = record["data"]
    last, first = data["train"]["last"], data["holdout"]["first"]
    message = f"Trained on rows up to {_day(last)}, evaluated on rows from {_day(first)}."
    yield HELD_OUT.finding("candidate", last < first, message)
    if champion:
        yield _champion_held_out(champion, data["holdout"])


def _champion_held_out(champion: Measured, holdout: dict[str, Any]) -> Finding:
    """Judge by the champion's newest training row, or by partitions where that is unknown."""
    shared = sorted(set(champion["trained_on"]) & set(holdout["partitions"]))
    origin, first = champion.get("origin"), holdout["first"]
    last = origin and origin["data"]["last"]
    opening = f"The champion {champion['release_id']} was trained on "
    if shared or last and last >= first:
        rows = f"{', '.join(shared)}, held out here" if shared else f"rows up to {_day(last)}"
        message = (
            f"{opening}{rows}, and is evaluated on rows from {_day(first)}, so it would look "
            "better than it is. Hold out newer partitions (data.last)."
        )
        return HELD_OUT.finding("champion", False, message)
    if last:
        return HELD_OUT.finding("champion", True, f"{opening}rows up to {_day(last)}.")
    message = (
        f"{opening}none of these partitions. Its record cannot be read here, so whether it was "
        "trained on later rows is unknown."
    )
    return HELD_OUT.finding("champion", True, message)


def _day(time: str) -> str:
    # A day is clear without its midnight.
    return time.removesuffix("T00:00:00")
