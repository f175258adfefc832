"""Rules about the quality of the data: each partition is compared with the partitions before it."""

from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

from mlops.config.params import CheckParams
from mlops.rules import Finding, Rule

if TYPE_CHECKING:
    from mlops.statistics.quality import Profile

VOLUME = Rule(
    "D102", "A partition has about as many rows as the partitions before it.", waivable=True
)
MISSING = Rule(
    "D103", "A column has about as many missing values as in earlier partitions.", waivable=True
)
UNSEEN = Rule("D104", "Few rows have a category that no earlier partition has.", waivable=True)
FROZEN = Rule("D105", "No column that varied before is now constant.", waivable=True)
TWINS = Rule("D106", "Few held-out rows are duplicates of training rows.", waivable=True)


def quality(
    profiles: dict[str, "Profile"], holdout: tuple[str, ...], limits: CheckParams
) -> list[Finding]:
    """Return the findings of every rule about the quality of data; profiles are oldest first."""
    findings, names = [], list(profiles)
    for rule, check in _CHECKS.items():
        failures = [
            rule.finding(subject, False, message)
            for n, name in enumerate(names[1:], start=1)
            for subject, message in check(
                name, profiles[name], [profiles[p] for p in names[:n]], limits
            )
        ]
        passed = f"{len(names)} partitions, each compared with those before it."
        findings += failures or [rule.finding("data", True, passed)]
    return [*findings, _twins(profiles, holdout, limits)]


# Yields the subject and the message of each failure.
Failures = Iterator[tuple[str, str]]


def _volume(name: str, new: "Profile", past: list["Profile"], limits: CheckParams) -> Failures:
    usual = median(one.rows for one in past)
    least, most = limits.least_rows * usual, usual / limits.least_rows
    if not least <= new.rows <= most:
        yield name, (
            f"{new.rows:,} rows, between {least:,.0f} and {most:,.0f} are usual here "
            f"(check.least_rows). Is the partition complete, and is each row in it once?"
        )


def _missing(name: str, new: "Profile", past: list["Profile"], limits: CheckParams) -> Failures:
    for column, share in new.missing.items():
        before = [one.missing[column] for one in past if column in one.missing]
        if not before:
            continue
        low, high = min(before) - limits.missing_shift, max(before) + limits.missing_shift
        if not low <= share <= high:
            yield f"{name} {column}", (
                f"{share:.1%} of the values are missing, {min(before):.1%} to {max(before):.1%} "
                f"were before; it may change by {limits.missing_shift:.0%} (check.missing_shift). "
                "Check whether the source still delivers it."
            )


def _unseen(name: str, new: "Profile", past: list["Profile"], limits: CheckParams) -> Failures:
    for column, counts in new.categories.items():
        earlier = {value for one in past for value in one.categories.get(column, {})}
        unseen = {value: rows for value, rows in counts.items() if value not in earlier}
        share = sum(unseen.values()) / new.rows
        if earlier and share > limits.max_unseen:
            listed = ", ".join(repr(value) for value in list(unseen)[:3])
            yield f"{name} {column}", (
                f"{share:.1%} of the rows hold categories that no earlier partition has, such as "
                f"{listed}; at most {limits.max_unseen:.1%} may (check.max_unseen). Did the "
                "spelling change? The model has learnt nothing about them."
            )


def _frozen(name: str, new: "Profile", past: list["Profile"], _: CheckParams) -> Failures:
    for column, value in new.frozen.items():
        if all(column in one.varied for one in past):
            yield f"{name} {column}", (
                f"every value is {value}, while every earlier partition has several. "
                "Check whether a default replaced the source."
            )


_CHECKS: dict[Rule, object] = {
    VOLUME: _volume,
    MISSING: _missing,
    UNSEEN: _unseen,
    FROZEN: _frozen,
}


def _twins(
    profiles: dict[str, "Profile"], holdout: tuple[str, ...], limits: CheckParams
) -> Finding:
    import numpy as np

    held_out = np.concatenate([profiles[name].hashes for name in holdout])
    trained = np.concatenate([one.hashes for name, one in profiles.items() if name not in holdout])
    count = int(np.isin(held_out, trained).sum())
    share = count / len(held_out)
    message = (
        f"{count:,} of {len(held_out):,} held-out rows equal a training row in all but their "
        f"time: {share:.2%}, up to {limits.max_twins:.2%} is allowed (check.max_twins)."
    )
    if share > limits.max_twins:
        message += " The model knows their outcome by heart. Look for rows delivered twice."
    return TWINS.finding("held-out rows", share <= limits.max_twins, message)
