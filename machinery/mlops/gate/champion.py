"""Rules that compare the candidate with the champion on all held-out rows."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, differs, number
from mlops.gate.unknown_metrics import unknown_metrics
from mlops.rules import Finding, Rule, Verdict

CHAMPION_RAN = Rule("M106", "The champion can be scored on the same rows.", waivable=True)
NOT_WORSE = Rule(
    "M107",
    "The candidate is not worse than the champion by more than the margin.",
    waivable=True,
)
PRODUCTION = "the model in production"
# A library's error may be pages long.
MOST_LETTERS = 300


def against_champion(evaluation: Measured, gate: GateParams) -> Iterator[Finding]:
    """Check that the champion ran, and that no metric is worse by more than gate.margins."""
    champion, metrics = evaluation["champion"], evaluation["metrics"]
    yield from unknown_metrics(NOT_WORSE, "margins", metrics, gate)
    if champion is None:
        message = "There is no champion yet, so the bounds alone decide."
        yield NOT_WORSE.finding("champion", True, message)
        return
    if champion["error"]:
        error, *traced = champion["error"].split("\n", 1)
        message = (
            f"{champion['release_id']} could not be scored: {_shortened(error)} Its code is "
            "sealed: give it the columns and types that it knows, roll production back to a "
            "release that runs, or waive M106 (environments/waivers.yaml) and let bounds decide."
        )
        # The traceback comes last, since a report cuts long messages.
        yield CHAMPION_RAN.inconclusive("champion", "\n".join([message, *traced]))
        return
    yield CHAMPION_RAN.finding("champion", True, f"{champion['release_id']} scored the same rows.")
    if not gate.margins:
        message = "params.yaml: gate.margins names no metric to compare by. Name at least one."
        yield NOT_WORSE.inconclusive("metrics", message)
    for name, margin in gate.margins.items():
        if name in metrics:
            yield _not_worse(name, metrics[name], margin)


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}..."


def _not_worse(name: str, measured: Measured, margin: float) -> Finding:
    """Judge one difference; `least` and `most` are the ends of the loss against the champion."""
    difference, higher = measured["difference"], measured["higher_is_better"]
    if difference["low"] is None:
        message = "The difference has no interval: no replicate gave a number for both models."
        return NOT_WORSE.inconclusive(name, message)
    least, most = difference["low"], difference["high"]
    if higher:
        least, most = -most, -least
    verdict, conclusion = _conclude(least, most, margin)
    if verdict is Verdict.INCONCLUSIVE and least + most < 0:
        conclusion = "Better on average, but perhaps worse"
    parts = [f"{conclusion} than {PRODUCTION}: {measured['title']} is {differs(difference)}"]
    if least > 0:
        parts.append(f"{number(margin)} is allowed at worst")
    elif most > margin:
        parts.append(f"{-margin if higher else margin:+.4f} is allowed at worst")
    remedy = " Hold out more rows (data.holdout) to decide."
    message = f"{', '.join(parts)}.{remedy if verdict is Verdict.INCONCLUSIVE else ''}"
    return Finding(NOT_WORSE.id, name, verdict, message)


def _conclude(least: float, most: float, margin: float) -> tuple[Verdict, str]:
    """Return the verdict on a loss between two ends, and its wording."""
    if most <= margin:
        if least > 0:
            return Verdict.PASS, "Worse, but within the margin,"
        return Verdict.PASS, "Better" if most < 0 else "Not worse, and not proven better,"
    return (Verdict.FAIL, "Worse") if least > 0 else (Verdict.INCONCLUSIVE, "Perhaps worse")
