"""Score the held-out rows with the candidate and the champion, and compare them.

Both score the same rows, the champion with its own code from its own bundle. Every metric and
every difference gets an interval by a bootstrap over groups of rows (params.yaml: gate.cluster).
"""

import argparse
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from mlops import gate
from mlops.config.params import Params
from mlops.console import Timer, say
from mlops.errors import UserError
from mlops.training import contract, provenance, record

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    from mlops.releases.champion import Champion
    from mlops.releases.store import Store
    from mlops.statistics.bootstrap import Comparison
    from mlops.statistics.metrics import Metric
    from mlops.statistics.slices import Scored

# What a trained model depends on: evaluating it under other values would judge another model.
TRAINED_WITH = ("data", "train", "model")


def run(_: argparse.Namespace) -> None:
    """Add the evaluation to build/record.json."""
    timer, params, made = Timer(), contract.params(), record.read_record()
    columns = contract.columns(params.gate.cluster)
    _require_same_params(made, params)
    held_out = made["data"]["holdout"]["partitions"]
    rows = contract.load(held_out)
    _require_same_rows(made, rows)
    contract.require(rows.frame, columns, f"held-out rows ({', '.join(held_out)})")
    model = contract.team_model().load(record.model_folder(made))
    scores = contract.predict(model, rows.frame[list(columns.features)])
    rival, rival_scores = _champion(params, rows, made)
    scored = _scored(rows, columns, scores, rival_scores)
    made["evaluation"] = {
        "champion": rival,
        **_compare(scored, columns, params),
        "drift": _drift(made, rows),
    }
    made["cost"] |= _latency(model, rows.frame[list(columns.features)])
    made["cost"]["evaluate_seconds"] = timer.seconds
    record.write_record(made)
    _tell(made["evaluation"], timer)


def _require_same_params(made: record.Record, params: Params) -> None:
    now, then = params.model_dump(), made["params"]["values"]
    for section in TRAINED_WITH:
        if now[section] != then[section]:
            raise UserError(
                f"params.yaml: `{section}` is no longer what the model was trained with "
                f"(now {now[section]}, then {then[section]}). Run `make train`."
            )


def _require_same_rows(made: record.Record, rows: contract.Rows) -> None:
    then = made["data"]["holdout"]["fingerprints"]
    other = [name for name, print_ in rows.fingerprints.items() if then[name] != print_]
    if other:
        raise UserError(
            f"The held-out partition(s) {', '.join(other)} changed since training. "
            "Run `make train`."
        )


def _champion(
    params: Params, rows: contract.Rows, made: record.Record
) -> "tuple[dict[str, Any] | None, np.ndarray | None]":
    """Return who the champion is and its scores; one that cannot run is for the gate to judge."""
    # Imported here: a first run, which has no champion, needs neither bundle nor store.
    from mlops.releases.champion import champion
    from mlops.releases.store import Store

    found, error, scores = champion(), None, None
    if found is None:
        return None, None
    store = Store(params.store)
    try:
        scores = found.score(rows.frame, store)
    except UserError as problem:
        error = str(problem)
    promoted = found.release.spec.promoted
    return {
        "release_id": found.release.spec.release_id,
        "model_digest": promoted.model.digest,
        "trained_on": list(promoted.data.train),
        "error": error,
        **_origin(found, store, made),
    }, scores


def _origin(found: "Champion", store: "Store", made: record.Record) -> dict[str, Any]:
    """Return what the champion was made from, null where its bundle cannot be read."""
    try:
        origin = provenance.origin(found.record(store))
    except UserError:
        origin = None
    code = origin and provenance.code_changes(origin["commit"], made["source"]["commit"])
    return {"origin": origin, "code": code}


def _drift(made: record.Record, rows: contract.Rows) -> list[dict[str, Any]]:
    """Return how far each column is from the rows trained on."""
    from mlops.statistics.drift import drifts

    found = drifts(made["data"].get("reference", {}), rows.frame)
    return [{**asdict(drift), "times": drift.times} for drift in found]


def _latency(model: Any, features: "DataFrame") -> dict[str, float]:
    from mlops.statistics.latency import latency

    return latency(partial(contract.team_model().predict, model), features)


def _scored(rows, columns, scores, rival_scores) -> "Scored":
    from mlops.statistics.slices import Scored

    cluster = columns.cluster
    return Scored(
        frame=rows.frame,
        target=rows.frame[columns.target].to_numpy(),
        cluster=None if cluster is None else rows.frame[cluster].to_numpy(),
        candidate=scores,
        champion=rival_scores,
    )


def _compare(scored: "Scored", columns: contract.Columns, params: Params) -> dict[str, Any]:
    from mlops.statistics import metrics, slices
    from mlops.statistics.bootstrap import Comparison
    from mlops.statistics.curves import curves
    from mlops.statistics.leakage import strengths

    settings, target = params.evaluate, scored.target
    comparison = Comparison(target, scored.cluster, settings)
    rival = None if scored.champion is None else curves(target, scored.champion)
    chosen = metrics.chosen(contract.metric_functions(), contract.threshold())
    metrics.require_labels(chosen, target)
    judged = [metric for metric in chosen if metric.name in params.gate.margins]
    return {
        "rows": len(target),
        "cluster": columns.cluster,
        "groups": comparison.groups,
        "replicates": settings.replicates,
        "confidence": settings.confidence,
        "curves": {"candidate": curves(target, scored.candidate), "champion": rival},
        "metrics": {metric.name: _measure(metric, comparison, scored) for metric in chosen},
        "slices": slices.measure(scored, columns.slices, judged, settings, params.gate),
        "features": strengths(scored.frame, columns.features, target, scored.cluster),
    }


def _measure(metric: "Metric", comparison: "Comparison", scored: "Scored") -> dict[str, Any]:
    from mlops.statistics.slices import plain

    found = comparison.estimates(metric, scored.candidate, scored.champion)
    return {
        "title": metric.title,
        "higher_is_better": metric.higher_is_better,
        "constant": comparison.constant(metric),
        **{name: plain(estimate) for name, estimate in found.items()},
    }


def _tell(evaluation: dict[str, Any], timer: Timer) -> None:
    champion = evaluation["champion"]
    against = f"against {champion['release_id']}" if champion else "no champion yet"
    metric, found = next(iter(evaluation["metrics"].items()))
    value = gate.number(found["candidate"]["value"])
    rows = f"{evaluation['rows']:,} held-out rows"
    say("evaluate", f"{rows}, {metric} {value}, {against} ({timer.seconds:.1f} s)")
