"""Score the held-out rows with the candidate and the champion, and compare them.

Both score the same rows, the champion with its own code from its own bundle. Every metric and
every difference gets an interval by a bootstrap over groups of rows (params.yaml: gate.cluster).
"""

import argparse
from typing import TYPE_CHECKING, Any

from mlops import gate
from mlops.config.params import Params
from mlops.console import Timer, say
from mlops.errors import UserError
from mlops.serving.answer import Answer
from mlops.training import calls, contract, partitions, provenance, record

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    from mlops.releases.champion import Champion
    from mlops.releases.store import Store
    from mlops.statistics.bootstrap import Comparison
    from mlops.statistics.metrics import Metric
    from mlops.statistics.slices import ScoredRows

# The sections a trained model depends on: under other values another model would be judged.
TRAINED_WITH = ("data", "train", "model")


def run(_: argparse.Namespace) -> None:
    """Add the evaluation to build/record.json."""
    timer, params, evaluated = Timer(), contract.params(), record.read_record()
    columns = contract.columns(params.gate.cluster)
    _require_same_params(evaluated, params)
    held_out = evaluated["data"]["holdout"]["partitions"]
    rows = partitions.load(held_out)
    _require_same_rows(evaluated, rows)
    partitions.require(rows.frame, columns, f"held-out rows ({', '.join(held_out)})")
    model = contract.team_model().load(record.model_folder(evaluated))
    scores = calls.predict(model, rows.frame[list(columns.features)])
    rival, rival_scores = _champion(params, rows, evaluated)
    scored = _scored(rows, columns, scores, rival_scores)
    evaluated["evaluation"] = {
        "champion": rival,
        **_compare(scored, columns, params),
        "drift": _drift(evaluated, rows),
    }
    evaluated["cost"] |= _latency(model, rows.frame[list(columns.features)])
    evaluated["cost"]["evaluate_seconds"] = timer.seconds
    record.write_record(evaluated)
    _print_result(evaluated["evaluation"], timer)


def _require_same_params(trained: record.Record, params: Params) -> None:
    now, then = params.model_dump(), trained["params"]["values"]
    for section in TRAINED_WITH:
        if now[section] != then[section]:
            raise UserError(
                f"params.yaml: `{section}` changed since training "
                f"(now {now[section]}, then {then[section]}). Run `make train`."
            )


def _require_same_rows(trained: record.Record, rows: partitions.Rows) -> None:
    then = trained["data"]["holdout"]["fingerprints"]
    changed = [name for name, hash_ in rows.fingerprints.items() if then[name] != hash_]
    if changed:
        raise UserError(
            f"The held-out partition(s) {', '.join(changed)} changed since training. "
            "Run `make train`."
        )


def _champion(
    params: Params, rows: partitions.Rows, candidate: record.Record
) -> "tuple[dict[str, Any] | None, np.ndarray | None]":
    """Return the champion and its scores, or the error for the gate if it cannot be scored."""
    # Imported here: numpy comes with them, and `--help` imports every step.
    from mlops.releases.champion import champion as find_champion
    from mlops.releases.store import Store

    champion, error, scores = find_champion(), None, None
    if champion is None:
        return None, None
    store = Store(params.store)
    try:
        scores = _comparable(champion, store, champion.score(rows.frame, store))
    except UserError as problem:
        error = str(problem)
    promoted = champion.release.spec.promoted
    return {
        "release_id": champion.release.spec.release_id,
        "model_digest": promoted.model.digest,
        "trained_on": list(promoted.data.train),
        "error": error,
        **_origin(champion, store, candidate),
    }, scores


def _comparable(champion: "Champion", store: "Store", scores: "np.ndarray") -> "np.ndarray":
    """Return the champion's scores with the candidate's order of names.

    Raises UserError if the two answer different things.
    """
    answer, theirs = contract.answer(), Answer.of_record(champion.record(store))
    if theirs.kind != answer.kind or sorted(theirs.names) != sorted(answer.names):
        raise UserError(
            f"it answers {theirs.described()}, the candidate {answer.described()}, so their scores "
            "cannot be compared row by row; the bounds alone can decide, once M106 is waived."
        )
    return (
        scores[:, [theirs.names.index(name) for name in answer.names]] if answer.names else scores
    )


def _origin(champion: "Champion", store: "Store", candidate: record.Record) -> dict[str, Any]:
    """Return the origin of the champion; None where its bundle cannot be read."""
    try:
        origin = provenance.origin(champion.record(store))
    except UserError:
        origin = None
    code = origin and provenance.code_changes(origin["commit"], candidate["source"]["commit"])
    return {"origin": origin, "code": code}


def _drift(trained: record.Record, rows: partitions.Rows) -> list[dict[str, Any]]:
    """Return the drift of each column from the training rows."""
    from mlops.statistics.drift import drifts

    columns = drifts(trained["data"].get("reference", {}), rows.frame)
    return [drift.as_dict() for drift in columns]


def _latency(model: Any, features: "DataFrame") -> dict[str, float]:
    from mlops.statistics.latency import latency

    return latency(calls.served(model, features), features)


def _scored(rows, columns, scores, rival_scores) -> "ScoredRows":
    from mlops.statistics.slices import ScoredRows

    cluster = columns.cluster
    return ScoredRows(
        frame=rows.frame,
        target=partitions.target(rows.frame, columns),
        cluster=None if cluster is None else rows.frame[cluster].to_numpy(),
        candidate=scores,
        champion=rival_scores,
        answer=contract.answer(),
    )


def _compare(scored: "ScoredRows", columns: contract.Columns, params: Params) -> dict[str, Any]:
    from mlops.statistics import parts, slices
    from mlops.statistics.bootstrap import Comparison
    from mlops.statistics.leakage import strengths
    from mlops.statistics.selection import require_labels

    settings, target = params.evaluate, scored.target
    comparison = Comparison(target, scored.cluster, settings)
    chosen = calls.metrics()
    require_labels(chosen, target)
    judged = [metric for metric in chosen if metric.name in params.gate.margins]
    return {
        "rows": len(target),
        "cluster": columns.cluster,
        "groups": comparison.groups,
        "replicates": settings.replicates,
        "confidence": settings.confidence,
        "curves": _curves(scored),
        "metrics": {metric.name: _measure(metric, comparison, scored) for metric in chosen},
        "slices": slices.measure(
            scored,
            columns.slices,
            judged,
            settings,
            params.gate,
            min_rows=params.privacy.min_rows,
        ),
        "features": strengths(
            scored.frame, columns.features, target, scored.cluster, scored.answer
        ),
        **parts.measure(scored),
    }


def _curves(scored: "ScoredRows") -> dict[str, Any]:
    from mlops.statistics.curves import curves

    both = {"candidate": scored.candidate, "champion": scored.champion}
    return {
        who: None if scores is None else curves(scored.target, scores, scored.answer)
        for who, scores in both.items()
    }


def _measure(metric: "Metric", comparison: "Comparison", scored: "ScoredRows") -> dict[str, Any]:
    from mlops.statistics.slices import plain

    estimates = comparison.estimates(metric, scored.candidate, scored.champion)
    return {
        "title": metric.title,
        "higher_is_better": metric.higher_is_better,
        "constant": comparison.constant(metric),
        **{name: plain(estimate) for name, estimate in estimates.items()},
    }


def _print_result(evaluation: dict[str, Any], timer: Timer) -> None:
    champion = evaluation["champion"]
    against = f"against {champion['release_id']}" if champion else "no champion yet"
    metric, measured = next(iter(evaluation["metrics"].items()))
    value = gate.number(measured["candidate"]["value"])
    rows = f"{evaluation['rows']:,} held-out rows"
    say("evaluate", f"{rows}, {metric} {value}, {against} ({timer.seconds:.1f} s)")
