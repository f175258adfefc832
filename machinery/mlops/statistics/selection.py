"""The metrics that a team's model names: built-in ones, or the mean of its own row loss."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from mlops.errors import UserError
from mlops.serving.answer import CLASSES, NUMBER, OUTPUTS, QUANTILES, Answer
from mlops.statistics import several
from mlops.statistics.metrics import THRESHOLD, Loss, Metric, built_in, mean_of, pinball

PINBALL = re.compile(r"pinball_([1-9]\d?)")


def select(
    functions: dict[str, Loss | None], answer: Answer = Answer(), threshold: float = THRESHOLD
) -> list[Metric]:
    """Return the team's metrics: built-ins by name (None), or the mean of its own row loss.

    The function of a loss may have the attribute `constant`: target -> the best constant score.
    """
    available = _available(functions, answer, threshold)
    unknown = [name for name, own in functions.items() if own is None and name not in available]
    if unknown:
        more = " and pinball_1 to pinball_99" if answer.kind in (NUMBER, OUTPUTS) else ""
        raise UserError(
            f"model/evaluate.py: METRICS names {', '.join(unknown)}, which is not built in for "
            f"{answer.described()} a row. Built in are {', '.join(available)}{more}; anything else "
            "is a function (target, score) -> one loss a row."
        )
    return [
        (
            available[name]
            if own is None
            else Metric(
                name,
                name.replace("_", " "),
                False,
                mean_of(own),
                getattr(own, "constant", None),
                by_row=True,
            )
        )
        for name, own in functions.items()
    ]


def _available(functions: Iterable[str], answer: Answer, threshold: float) -> dict[str, Metric]:
    """Return the built-in metrics of an answer by name."""
    single = built_in(threshold)
    if answer.kind == CLASSES:
        metrics = several.of_classes(len(answer.names))
    elif answer.kind == QUANTILES:
        metrics = several.of_quantiles(list(map(float, answer.names)), single)
    else:
        for name in functions:
            if match := PINBALL.fullmatch(name):
                single[name] = pinball(int(match[1]) / 100, name)
        metrics = list(single.values())
        if answer.kind == OUTPUTS:
            metrics = several.of_outputs(metrics)
    return {metric.name: metric for metric in metrics}


def require_labels(metrics: Sequence[Metric], target: np.ndarray) -> None:
    """Raise UserError if a metric needs labels 0 and 1 and the target has other values."""
    names, values = [metric.name for metric in metrics if metric.labels], np.unique(target)
    if names and not set(values) <= {0, 1}:
        shown = ", ".join(f"{value:g}" for value in values[:3])
        raise UserError(
            f"model/evaluate.py: METRICS names {', '.join(names)}, which judge labels 0 and 1. The "
            f"target has {len(values)} value(s), such as {shown}. For amounts use mae, rmse, r2 "
            "or pinball; for more than two classes set model.CLASSES (model/README.md)."
        )
