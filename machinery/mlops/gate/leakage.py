"""Rules about what is too good to be true."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, number, titled
from mlops.gate.metric_names import misnamed
from mlops.rules import BELIEVABLE, LEAKING, Finding, find

TITLES = {"auc": "AUC", "r2": "R2"}


def leaking(evaluation: Measured, gate: GateParams) -> Iterator[Finding]:
    """Find the features that predict the outcome suspiciously well by themselves."""
    alone = evaluation["features"]
    title = TITLES[alone["measure"]]
    key = f"max_{alone['measure']}"
    most = getattr(gate.leakage, key)
    worth = {name: value for name, value in alone["strength"].items() if value is not None}
    bad = {name: value for name, value in worth.items() if value > most}
    for name, value in bad.items():
        message = (
            f"{name} has {title} {number(value)} by itself, at most {number(most)} is believed "
            f"(gate.leakage.{key}). Is its value known when the prediction is asked for? "
            "If so, raise that bound; if not, take it out of data.SCHEMA."
        )
        yield find(LEAKING, name, False, message)
    if not bad:
        if worth:
            name = max(worth, key=worth.get)
            message = f"{name} is worth most by itself: {title} {number(worth[name])}"
            message += f", up to {number(most)} is believed."
        else:
            why = "have one outcome only"
            if evaluation["groups"] == 1:
                why = "are of one group only (gate.cluster)"
            message = f"No feature could be tried: the held-out rows {why}."
        yield find(LEAKING, "features", True, message)


def believable(metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    """Find the metrics that are better than gate.ceilings."""
    yield from misnamed(BELIEVABLE, metrics, gate)
    for name, ceiling in gate.ceilings.items():
        if name not in metrics:
            continue
        value, higher = metrics[name]["candidate"]["value"], metrics[name]["higher_is_better"]
        good = value is None or (value <= ceiling if higher else value >= ceiling)
        said = f"{titled(metrics[name])} is {number(value)}"
        message = f"{said}, not better than {number(ceiling)} is believed (gate.ceilings)."
        if not good:
            message = (
                f"{said}, better than {number(ceiling)}, the best that is believed "
                "(gate.ceilings). Look for a feature that knows the outcome; if there is none, "
                "raise the ceiling."
            )
        yield find(BELIEVABLE, name, good, message)
    if not gate.ceilings:
        yield find(BELIEVABLE, "metrics", True, "No ceiling is set (gate.ceilings).")
