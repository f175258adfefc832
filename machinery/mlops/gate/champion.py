"""Rules that compare the candidate with the champion on all held-out rows."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, differs, number
from mlops.gate.metric_names import misnamed
from mlops.rules import CHAMPION_RAN, NOT_WORSE, Finding, Verdict, find

PRODUCTION = "the model in production"


def against_champion(evaluation: Measured, gate: GateParams) -> Iterator[Finding]:
    """Find whether the champion ran, and whether the candidate is worse beyond gate.margins."""
    champion, metrics = evaluation["champion"], evaluation["metrics"]
    yield from misnamed(NOT_WORSE, metrics, gate)
    if champion is None:
        message = "There is no champion yet, so the bounds alone decide."
        yield Finding(NOT_WORSE.id, "champion", Verdict.PASS, message)
        return
    if champion["error"]:
        error, *traced = champion["error"].split("\n", 1)
        message = (
            f"{champion['release_id']} could not be scored: {error} Mend that, or roll "
            "production back to a release that runs; without it nobody knows if this is better."
        )
        # Last, since a report cuts what is long.
        message = "\n".join([message, *traced])
        yield Finding(CHAMPION_RAN.id, "champion", Verdict.INCONCLUSIVE, message)
        return
    yield find(CHAMPION_RAN, "champion", True, f"{champion['release_id']} scored the same rows.")
    if not gate.margins:
        message = "params.yaml: gate.margins names no metric to compare by. Name at least one."
        yield Finding(NOT_WORSE.id, "metrics", Verdict.INCONCLUSIVE, message)
    for name, margin in gate.margins.items():
        if name in metrics:
            yield _not_worse(name, metrics[name], margin)


def _not_worse(name: str, measured: Measured, margin: float) -> Finding:
    """Judge one difference; `least` and `most` say how much worse it is at either end."""
    difference, higher = measured["difference"], measured["higher_is_better"]
    if difference["low"] is None:
        message = "The difference has no interval: no replicate gave a number for both models."
        return Finding(NOT_WORSE.id, name, Verdict.INCONCLUSIVE, message)
    least, most = difference["low"], difference["high"]
    if higher:
        least, most = -most, -least
    verdict, said = _said(least, most, margin)
    told = [f"{said} than {PRODUCTION}: {measured['title']} is {differs(difference)}"]
    if least > 0:
        told.append(f"{number(margin)} is allowed at worst")
    elif most > margin:
        told.append(f"{-margin if higher else margin:+.4f} is allowed at worst")
    remedy = " Hold out more rows (data.holdout) to tell."
    message = f"{', '.join(told)}.{remedy if verdict is Verdict.INCONCLUSIVE else ''}"
    return Finding(NOT_WORSE.id, name, verdict, message)


def _said(least: float, most: float, margin: float) -> tuple[Verdict, str]:
    """Return the verdict on a loss between two ends, and what it means."""
    if most <= margin:
        if least > 0:
            return Verdict.PASS, "Worse, but no more than is allowed,"
        return Verdict.PASS, "Better" if most < 0 else "Not worse, and not proven better,"
    return (Verdict.FAIL, "Worse") if least > 0 else (Verdict.INCONCLUSIVE, "Perhaps worse")
