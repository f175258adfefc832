"""Rules about the rows: were they checked, and are those held out really later?"""

from collections.abc import Iterator
from typing import Any

from mlops.gate.words import Measured
from mlops.record import Record
from mlops.rules import DATA_CHECKED, HELD_OUT, Finding, find


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
    # Days need no midnight.
    shown = [time.removesuffix("T00:00:00") for time in (last, first)]
    message = f"Trained on rows up to {shown[0]}, judged on rows from {shown[1]}."
    yield find(HELD_OUT, "candidate", last < first, message)
    if champion:
        shared = sorted(set(champion["trained_on"]) & set(data["holdout"]["partitions"]))
        good = f"The champion {champion['release_id']} has not seen these rows either."
        bad = (
            f"The champion {champion['release_id']} was trained on {', '.join(shared)}, held out "
            "here, so it would look better than it is. Judge on newer partitions (data.last)."
        )
        yield find(HELD_OUT, "champion", not shared, bad if shared else good)
