"""Rules about the model as a thing: is it made the same way twice, is it small and quick enough?"""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured
from mlops.rules import BUDGET, SAME_TWICE, Finding, Verdict, find
from mlops.training.record import Record


def same_twice(record: Record) -> Finding:
    """Find whether a second training gave the same bytes."""
    digest, second = record["model"]["digest"], record["training"]["repeat"]
    device = record["training"]["device"]["effective"]
    if second is None:
        message = "Nobody tried: train.repeat is off."
        return find(SAME_TWICE, "model", True, message)
    if second == digest:
        return find(SAME_TWICE, "model", True, "A second training gave the same digest.")
    if device != "cpu":
        message = (
            f"Two trainings on {device} gave different models, as sums in another order do. "
            "Train on cpu to tell, or turn train.repeat off and judge by the metrics alone."
        )
        return Finding(SAME_TWICE.id, "model", Verdict.INCONCLUSIVE, message)
    message = (
        f"The second training gave {second[:19]}, the first {digest[:19]}. Something in "
        "model/train.py does not follow the seed: random numbers, the order of a set, the time."
    )
    return find(SAME_TWICE, "model", False, message)


def budgets(record: Record, gate: GateParams) -> Iterator[Finding]:
    """Find whether the model is small enough, and one row scored quickly enough."""
    limits, taken = gate.budgets, record["cost"]
    size = record["model"]["bytes"] / 1e6
    message = f"{size:.2f} MB, {limits.model_mb:g} MB allowed (gate.budgets.model_mb)."
    yield find(BUDGET, "size", size <= limits.model_mb, message)
    for key, words in (("p50_ms", "Half of the rows"), ("p99_ms", "99 rows in 100")):
        yield _quick(key, words, taken, getattr(limits, key))


def _quick(key: str, words: str, taken: Measured, most: float) -> Finding:
    """Judge a time by the least disturbed measurement; a pass needs the usual one as well."""
    best = taken[f"predict_{key}"]
    # A record made before rounds were measured has one time only.
    usual = taken.get(f"predict_usual_{key}", best)
    message = f"{words} scored by themselves within {best:.2f} ms at best"
    allowed = f"{most:g} ms allowed (gate.budgets.{key})."
    if best <= most < usual:
        message += (
            f" and {usual:.2f} ms in the usual round, {allowed} The machine was busy, or the model "
            "is slow now and then. Measure again where nothing else runs: `make evaluate gate`."
        )
        return Finding(BUDGET.id, key, Verdict.INCONCLUSIVE, message)
    return find(BUDGET, key, best <= most, f"{message}, {allowed}")
