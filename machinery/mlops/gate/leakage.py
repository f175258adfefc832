"""Rules against results that are too good to be true."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, number, titled
from mlops.gate.unknown_metrics import unknown_metrics
from mlops.rules import Finding, Rule

LEAKING = Rule("M109", "No single feature predicts the outcome suspiciously well.", waivable=True)
BELIEVABLE = Rule("M110", "No metric is too good to be true.", waivable=True)
TITLES = {"auc": "AUC", "r2": "R2"}


def leaking(evaluation: Measured, gate: GateParams) -> Iterator[Finding]:
    """Check that no feature by itself predicts the outcome better than gate.leakage allows."""
    features = evaluation["features"]
    title = TITLES[features["measure"]]
    key = f"max_{features['measure']}"
    most = getattr(gate.leakage, key)
    if most is None:
        yield LEAKING.finding("features", True, f"No bound is set (gate.leakage.{key}).")
        return
    strength = {name: value for name, value in features["strength"].items() if value is not None}
    suspicious = {name: value for name, value in strength.items() if value > most}
    for name, value in suspicious.items():
        message = (
            f"{name} alone has {title} {number(value)}, at most {number(most)} is plausible "
            f"(gate.leakage.{key}). Is its value known at the time of a prediction? "
            "If so, raise that bound; if not, remove it from data.SCHEMA."
        )
        yield LEAKING.finding(name, False, message)
    if suspicious:
        return
    if strength:
        name = max(strength, key=strength.get)
        message = (
            f"{name} is the strongest feature alone: {title} {number(strength[name])}, up to "
            f"{number(most)} is plausible."
        )
    else:
        why = "have one outcome only"
        if evaluation["groups"] == 1:
            why = "form one group only (gate.cluster)"
        message = f"No feature could be tested: the held-out rows {why}."
    yield LEAKING.finding("features", True, message)


def believable(metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    """Check that no metric is better than gate.ceilings."""
    yield from unknown_metrics(BELIEVABLE, "ceilings", metrics, gate)
    for name, ceiling in gate.ceilings.items():
        if name not in metrics:
            continue
        value, higher = metrics[name]["candidate"]["value"], metrics[name]["higher_is_better"]
        good = value is None or (value <= ceiling if higher else value >= ceiling)
        opening = f"{titled(metrics[name])} is {number(value)}"
        message = f"{opening}, not better than the ceiling {number(ceiling)} (gate.ceilings)."
        if not good:
            message = (
                f"{opening}, better than the ceiling {number(ceiling)} (gate.ceilings). Look for "
                "a feature that leaks the outcome; if there is none, raise the ceiling."
            )
        yield BELIEVABLE.finding(name, good, message)
    if not gate.ceilings:
        yield BELIEVABLE.finding("metrics", True, "No ceiling is set (gate.ceilings).")
