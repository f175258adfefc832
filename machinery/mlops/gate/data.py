"""Rules about the rows: were they checked, and are those held out really later?"""

from collections.abc import Iterator
from typing import Any

from mlops.gate.formatting import Measured
from mlops.rules import DATA_CHECKED, HELD_OUT, Finding, find
from mlops.training.record import Record


def data_checked(record: Record, check: dict[str, Any] | None) -> Iterator[Finding]:
    """Find what check-data found, if it looked at the rows in use."""
    data = record["data"]
    wanted = {**data["train"]["fingerprints"], **data["holdout"]["fingerprints"]}
    if check is None:
        message = "The data were not checked. Run `make check-data`."
        yield find(DATA_CHECKED, "data", False, message)
    elif check["fingerprints"] != wanted:
        message = "Other data were checked than were used. Run `make check-data` again."
        yield find(DATA_CHECKED, "data", False, message)
    else:
        yield from (Finding.of(found) for found in check["findings"])


def held_out(record: Record, champion: Measured | None) -> Iterator[Finding]:
    """Find whether nobody judged has seen a held-out row."""
    data = record["data"]
    last, first = data["train"]["last"], data["holdout"]["first"]
    message = f"Trained on rows up to {_day(last)}, judged on rows from {_day(first)}."
    yield find(HELD_OUT, "candidate", last < first, message)
    if champion:
        yield _unseen(champion, data["holdout"])


def _unseen(champion: Measured, holdout: dict[str, Any]) -> Finding:
    """Judge the champion by the rows it was trained on, by their partitions alone if need be."""
    shared = sorted(set(champion["trained_on"]) & set(holdout["partitions"]))
    origin, first = champion.get("origin"), holdout["first"]
    last = origin and origin["data"]["last"]
    told = f"The champion {champion['release_id']} was trained on "
    if shared or last and last >= first:
        told += f"{', '.join(shared)}, held out here" if shared else f"rows up to {_day(last)}"
        told += (
            f", judged on rows from {_day(first)}, so it would look better than it is. Judge on "
            "newer partitions (data.last)."
        )
        return find(HELD_OUT, "champion", False, told)
    if last:
        return find(HELD_OUT, "champion", True, f"{told}rows up to {_day(last)}.")
    told += (
        "none of these partitions; whether on later rows cannot be told, since its record cannot "
        "be read here."
    )
    return find(HELD_OUT, "champion", True, told)


def _day(time: str) -> str:
    # Days need no midnight.
    return time.removesuffix("T00:00:00")
