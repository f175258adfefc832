"""Is a partition like those before it? Rows, missing values, new categories, columns that froze.

Each partition is reduced to a profile; the rules compare profiles, a partition with all earlier.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops.config.params import CheckParams
from mlops.rules import FROZEN, MISSING, TWINS, UNSEEN, VOLUME, Finding, Rule, find

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# A column of more different texts holds names or remarks rather than categories.
MOST_CATEGORIES = 1000


@dataclass(frozen=True)
class Profile:
    """What the rules need to know of a partition; `hashes` has one a row, its time apart.

    A column is `frozen` that has one value in several rows, and `varied` if it has several.
    """

    rows: int
    missing: dict[str, float]
    categories: dict[str, dict[str, int]]
    frozen: dict[str, str]
    varied: frozenset[str]
    hashes: np.ndarray


def profile(frame: "DataFrame", time: str) -> Profile:
    """Reduce the rows of a partition to what is compared."""
    import pandas as pd

    frame = frame.drop(columns=time)
    categories = {
        name: counts.to_dict()
        for name in frame.columns
        if frame[name].dtype.kind not in "biufM"
        and len(counts := _counts(frame[name])) <= MOST_CATEGORIES
    }
    present = {name: frame[name].dropna() for name in frame.columns}
    varied = frozenset(name for name, values in present.items() if _several(values))
    return Profile(
        rows=len(frame),
        missing=frame.isna().mean().to_dict(),
        categories=categories,
        frozen={
            name: _told(values.iloc[0])
            for name, values in present.items()
            if len(values) > 1 and name not in varied
        },
        varied=varied,
        hashes=pd.util.hash_pandas_object(frame, index=False).to_numpy(),
    )


def _counts(column: "Series") -> "Series":
    counts = column.value_counts()
    # A type counts what it declares, too.
    return counts[counts > 0]


def _several(values: "Series") -> bool:
    return len(values) > 1 and bool((values.to_numpy() != values.iloc[0]).any())


def _told(value: Any) -> str:
    # As Python's own, which people read: 0, not np.int64(0).
    return repr(value.item() if hasattr(value, "item") else value)


def findings(
    profiles: dict[str, Profile], holdout: tuple[str, ...], limits: CheckParams
) -> list[Finding]:
    """Return what every rule about the quality of data finds; profiles are oldest first."""
    found, names = [], list(profiles)
    for rule, check in _CHECKS.items():
        bad = [
            find(rule, subject, False, message)
            for n, name in enumerate(names[1:], start=1)
            for subject, message in check(
                name, profiles[name], [profiles[p] for p in names[:n]], limits
            )
        ]
        good = f"{len(names)} partitions, each compared with those before it."
        found += bad or [find(rule, "data", True, good)]
    return [*found, _twins(profiles, holdout, limits)]


Mistakes = Iterator[tuple[str, str]]


def _volume(name: str, new: Profile, past: list[Profile], limits: CheckParams) -> Mistakes:
    usual = median(one.rows for one in past)
    least, most = limits.least_rows * usual, usual / limits.least_rows
    if not least <= new.rows <= most:
        yield name, (
            f"{new.rows:,} rows, between {least:,.0f} and {most:,.0f} are usual here "
            f"(check.least_rows). Is the partition whole, and are its rows there once?"
        )


def _missing(name: str, new: Profile, past: list[Profile], limits: CheckParams) -> Mistakes:
    for column, share in new.missing.items():
        before = [one.missing[column] for one in past if column in one.missing]
        if not before:
            continue
        low, high = min(before) - limits.missing_shift, max(before) + limits.missing_shift
        if not low <= share <= high:
            yield f"{name} {column}", (
                f"{share:.1%} of the values are missing, {min(before):.1%} to {max(before):.1%} "
                f"were before; it may move by {limits.missing_shift:.0%} (check.missing_shift). "
                "Look whether the source still delivers it."
            )


def _unseen(name: str, new: Profile, past: list[Profile], limits: CheckParams) -> Mistakes:
    for column, counts in new.categories.items():
        known = {value for one in past for value in one.categories.get(column, {})}
        fresh = {value: rows for value, rows in counts.items() if value not in known}
        share = sum(fresh.values()) / new.rows
        if known and share > limits.max_unseen:
            listed = ", ".join(repr(value) for value in list(fresh)[:3])
            yield f"{name} {column}", (
                f"{share:.1%} of the rows hold categories that no partition before had, such as "
                f"{listed}; at most {limits.max_unseen:.1%} may (check.max_unseen). Was the "
                "spelling changed? The model knows nothing about them."
            )


def _frozen(name: str, new: Profile, past: list[Profile], _: CheckParams) -> Mistakes:
    for column, value in new.frozen.items():
        if all(column in one.varied for one in past):
            yield f"{name} {column}", (
                f"every value is {value}, while there were several in every partition before. "
                "Look whether the source was replaced by a default."
            )


_CHECKS: dict[Rule, object] = {
    VOLUME: _volume,
    MISSING: _missing,
    UNSEEN: _unseen,
    FROZEN: _frozen,
}


def _twins(profiles: dict[str, Profile], holdout: tuple[str, ...], limits: CheckParams) -> Finding:
    judged = np.concatenate([profiles[name].hashes for name in holdout])
    trained = np.concatenate([one.hashes for name, one in profiles.items() if name not in holdout])
    count = int(np.isin(judged, trained).sum())
    share = count / len(judged)
    message = (
        f"{count:,} of {len(judged):,} held-out rows equal one trained on, but for their time: "
        f"{share:.2%}, up to {limits.max_twins:.2%} is allowed (check.max_twins)."
    )
    if share > limits.max_twins:
        message += " The model knows their outcome by heart. Look for rows delivered twice."
    return find(TWINS, "held-out rows", share <= limits.max_twins, message)
