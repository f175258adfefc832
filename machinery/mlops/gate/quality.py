"""Rules about the quality of the data: each partition is compared with the partitions before it."""

from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

from mlops.config.params import CheckParams
from mlops.gate.formatting import examples
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

# A column that is constant with a smaller probability has frozen. One honest column in a hundred
# such partitions is asked about.
LEAST_CHANCE = 0.01
# How many times the usual share of new values, or of twins, a partition may have. Partitions of one
# source differ by less than that, and faults are larger.
TIMES_USUAL = 2


def quality(
    profiles: dict[str, "Profile"], holdout: tuple[str, ...], limits: CheckParams, min_rows: int
) -> list[Finding]:
    """Return the findings of every rule about the quality of data; profiles are oldest first.

    A message quotes no text that fewer than `min_rows` rows have.
    """
    findings, names = [], list(profiles)
    for rule, check in _CHECKS.items():
        of_rule = [
            _judged(rule, subject, message, name in holdout, limits)
            for n, name in enumerate(names[1:], start=1)
            for subject, message in check(
                name, profiles[name], [profiles[p] for p in names[:n]], limits, min_rows
            )
        ]
        passed = f"{len(names)} partitions, each compared with those before it."
        findings += of_rule or [rule.finding("data", True, passed)]
    return [*findings, _twins(profiles, holdout, limits)]


def _judged(rule: Rule, subject: str, message: str, held_out: bool, limits: CheckParams) -> Finding:
    """Return the failure, a pass where it is an old partition's and the team accepts it.

    A waiver ends, which suits new rows; an old partition stays as it is.
    """
    name = f"{rule.id} {subject}"
    if held_out:
        return rule.finding(subject, False, message)
    if name in limits.accepted:
        return rule.finding(subject, True, f"Accepted (check.accepted): {message}")
    remedy = f" If this partition is right as it is, add {name!r} to check.accepted."
    return rule.finding(subject, False, message + remedy)


# Yields the subject and the message of each failure.
Failures = Iterator[tuple[str, str]]


def _volume(
    name: str, new: "Profile", past: list["Profile"], limits: CheckParams, _: int
) -> Failures:
    usual = median(one.rows for one in past)
    least, most = limits.least_rows * usual, usual / limits.least_rows
    if not least <= new.rows <= most:
        yield name, (
            f"{new.rows:,} rows, between {least:,.0f} and {most:,.0f} are usual here "
            f"(check.least_rows). Is the partition complete, and is each row in it once?"
        )


def _missing(
    name: str, new: "Profile", past: list["Profile"], limits: CheckParams, _: int
) -> Failures:
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


def _unseen(
    name: str, new: "Profile", past: list["Profile"], limits: CheckParams, min_rows: int
) -> Failures:
    # Imported here and below: every step imports the gate, and numpy comes with it.
    from mlops.statistics.quality import share_of_rare

    for column, counts in new.categories.items():
        if not all(column in one.categories for one in past):
            continue
        before = [one.categories[column] for one in past]
        unseen = {v: rows for v, rows in counts.items() if not any(v in one for one in before)}
        share, most = sum(unseen.values()) / new.rows, limits.most_unseen(column)
        # Where many values occur once or twice, new ones are usual.
        if any(before) and share > max(most, TIMES_USUAL * share_of_rare(before)):
            yield f"{name} {column}", (
                f"{share:.1%} of the rows hold categories that no earlier partition has, such as "
                f"{examples(unseen, min_rows)}; at most {most:.1%} may (check.max_unseen). Did the "
                "spelling change? The model has learnt nothing about them."
            )


def _frozen(
    name: str, new: "Profile", past: list["Profile"], limits: CheckParams, min_rows: int
) -> Failures:
    from mlops.statistics.quality import chance_of_one_value

    for column, (value, rows) in new.frozen.items():
        if column in limits.may_freeze or not all(column in one.commonest for one in past):
            continue
        chance = chance_of_one_value(value, rows, [one.commonest[column] for one in past])
        if chance < LEAST_CHANCE:
            quoted = rows >= min_rows and column not in new.text
            shown = value if quoted else "the same"
            yield f"{name} {column}", (
                f"every value is {shown}, while every earlier partition has several: by chance "
                f"{rows:,} rows are alike with a probability of {chance:.1g}, below "
                f"{LEAST_CHANCE:g}. Check whether a default replaced the source. A column with "
                "seasons, which may be constant for a whole partition, belongs in check.may_freeze."
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

    from mlops.statistics.quality import usual_twins

    held_out = np.concatenate([profiles[name].hashes for name in holdout])
    trained = [one.hashes for name, one in profiles.items() if name not in holdout]
    count = int(np.isin(held_out, np.concatenate(trained)).sum())
    share, usual = count / len(held_out), usual_twins(trained)
    most = max(limits.max_twins, min(1.0, TIMES_USUAL * usual))
    key = "check.max_twins"
    if most > limits.max_twins:
        key = f"twice the {usual:.2%} that is usual between training partitions"
    message = (
        f"{count:,} of {len(held_out):,} held-out rows equal a training row in all but their "
        f"time: {share:.2%}, up to {most:.2%} is allowed ({key})."
    )
    if share > most:
        message += " The model knows their outcome by heart. Look for rows delivered twice."
    return TWINS.finding("held-out rows", share <= most, message)
