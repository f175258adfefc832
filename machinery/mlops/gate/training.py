"""Rules about the model itself: training reproduces it, it is small and fast, and no pickle."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured
from mlops.rules import Finding, Rule
from mlops.training.record import Record

BUDGET = Rule(
    "M111", "The model stays within its budgets of size and prediction time.", waivable=True
)
SAME_TWICE = Rule("M112", "A second training gives the same model.", waivable=True)
NO_PICKLE = Rule(
    "M114", "No file of the model is pickle, which runs code on loading.", waivable=True
)


def same_twice(record: Record) -> Finding:
    """Check that a second training gave the same bytes."""
    digest, second = record["model"]["digest"], record["training"]["repeat"]
    device = record["training"]["device"]["effective"]
    if second is None:
        return SAME_TWICE.finding("model", True, "Not tested: train.repeat is off.")
    if second == digest:
        return SAME_TWICE.finding("model", True, "A second training gave the same digest.")
    # A record made before scores were compared does not say.
    only_files = record["training"].get("repeat_scores_alike", False)
    if device != "cpu" and not only_files:
        message = (
            f"Two trainings on {device} gave different models, as sums in another order do. "
            "Train on cpu to decide, or turn train.repeat off and judge by the metrics alone."
        )
        return SAME_TWICE.inconclusive("model", message)
    cause = (
        "Both give the same scores, so it is `save` in model/ that writes equal models as "
        "different bytes: with a time, an address in memory, the order of a set. JSON, skops "
        "(model/README.md) or the library's own format has none of these."
        if only_files
        else "Something in `train` in model/ does not follow the seed: random numbers, the order "
        "of a set, the time."
    )
    message = f"The second training gave {second[:19]}, the first {digest[:19]}. {cause}"
    return SAME_TWICE.finding("model", False, message)


def no_pickle(record: Record) -> Iterator[Finding]:
    """Check that no file of the model is or holds pickle."""
    pickled = record["model"].get("pickled", {})
    if not pickled:
        yield NO_PICKLE.finding("model", True, "No file of the model is pickle.")
    for name, sign in pickled.items():
        message = (
            f"It is pickle ({sign}): whoever loads it runs the code in it, and no reviewer can see "
            "which. Let `save` write numbers and names: a scikit-learn estimator with skops, other "
            "models in their library's own format or as JSON, npz or safetensors (model/README.md)."
        )
        yield NO_PICKLE.finding(name, False, message)


def budgets(record: Record, gate: GateParams) -> Iterator[Finding]:
    """Check the model's size and the time to score one row."""
    limits, cost = gate.budgets, record["cost"]
    size = record["model"]["bytes"] / 1e6
    message = f"{size:.2f} MB, {limits.model_mb:g} MB allowed (gate.budgets.model_mb)."
    yield BUDGET.finding("size", size <= limits.model_mb, message)
    for key, share in (("p50_ms", "Half of the rows"), ("p99_ms", "99 of 100 rows")):
        yield _fast(key, share, cost, getattr(limits, key))


def _fast(key: str, share: str, cost: Measured, most: float) -> Finding:
    """Judge a time by the least disturbed measurement; a pass needs the usual one as well."""
    best = cost[f"predict_{key}"]
    # A record made before rounds were measured has one time only.
    usual = cost.get(f"predict_usual_{key}", best)
    message = f"{share} scored one at a time within {best:.2f} ms at best"
    allowed = f"{most:g} ms allowed (gate.budgets.{key})."
    if best <= most < usual:
        message += (
            f" and {usual:.2f} ms in the usual round, {allowed} The machine was busy, or the model "
            "is slow now and then. Measure again where nothing else runs: `make evaluate gate`."
        )
        return BUDGET.inconclusive(key, message)
    return BUDGET.finding(key, best <= most, f"{message}, {allowed}")
