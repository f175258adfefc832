"""The model that a fork begins with: which estimator, its code and its parameters."""

import re
from dataclasses import dataclass

from mlops.errors import UserError, did_you_mean
from mlops.starting.filling import block, fill
from mlops.starting.infer import Inference

# With fewer rows than this a linear model is the safer baseline.
ROWS_FOR_TREES = 2000
FAMILIES = ("linear", "trees")
METRICS = {
    "binary": ("auc", "log_loss", "brier"),
    "classes": ("auc", "log_loss", "accuracy"),
    "amount": ("mae", "rmse", "r2"),
    "amounts": ("mae", "rmse", "r2"),
}
# What skops may build besides scikit-learn's own estimators, by family.
TRUSTED = {
    "linear": ["numpy.dtype"],
    "trees": [
        "functools.partial",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.utils.validation.check_array",
    ],
}


@dataclass(frozen=True)
class StarterModel:
    """The files of `model/`, its section of params.yaml, and the packages it needs to serve."""

    family: str
    description: str
    files: dict[str, str]
    params: str
    serve: tuple[str, ...] = ("pandas", "scikit-learn", "skops")


def require_known(name: str | None) -> None:
    """Raise UserError for a family of models that there is none of."""
    if name not in (None, *FAMILIES):
        raise UserError(
            f"MODEL is {name!r}. It is one of {', '.join(FAMILIES)}, or left out."
            f"{did_you_mean(name, FAMILIES)}"
        )


def starter(inference: Inference, family: str | None) -> StarterModel:
    """Return the starter of a family; without one the number of rows decides."""
    rows = int(inference.partitioning.trained_on.sum())
    chosen = family or ("trees" if rows >= ROWS_FOR_TREES else "linear")
    return {"linear": _linear, "trees": _trees}[chosen](inference)


def _common(inference: Inference, family: str) -> dict[str, str]:
    kind = inference.task.kind
    constants = [
        "FRAME = True  # `predict` gets a DataFrame in the service too, as `train` does",
        f"METRICS = {METRICS[kind]!r}",
    ]
    if kind == "classes":
        constants.append(f"CLASSES = {inference.task.labels!r}")
    constants.append("# What skops may build on loading, besides scikit-learn's own estimators.")
    constants.append(f"TRUSTED = {TRUSTED[family]!r}")
    names = [one.name for one in inference.features if one.is_number]
    texts = [one.name for one in inference.features if not one.is_number]
    return {
        "title": _title(inference),
        "numbers": repr(names),
        "categories": repr(texts),
        "constants": "\n".join(constants),
        "returns": RETURNS[kind],
        "predict": block(PREDICT[kind], 4),
    }


RETURNS = {
    "binary": "the probability of a 1 for each row",
    "classes": "the probability of each class (rows, classes), in the order of CLASSES",
    "amount": "one amount for each row",
    "amounts": "the amounts of each row (rows, targets)",
}
PREDICT = {
    "binary": "return model.predict_proba(frame)[:, 1]",
    "amount": "return model.predict(frame)",
    "amounts": "return model.predict(frame)",
    "classes": (
        "scores = np.zeros((len(frame), len(CLASSES)))\n"
        "scores[:, model.classes_] = model.predict_proba(frame)  # it may have seen fewer classes\n"
        "return scores"
    ),
}


def _title(inference: Inference) -> str:
    """Return what is predicted, short and without characters that mean something in Python."""
    targets = inference.task.targets
    if len(targets) > 1:
        return f"{len(targets)} amounts"
    return re.sub(r'["\\\n]', "", targets[0])[:30]


def _package(inference: Inference) -> dict[str, str]:
    names = ["FRAME", "METRICS", "Params", "load", "predict", "save", "train"]
    if inference.task.kind == "classes":
        names.insert(0, "CLASSES")
    values = {"names": ", ".join(names), "quoted": ", ".join(f'"{name}"' for name in names)}
    return {"model/__init__.py": fill("model/__init__.py.txt", values)}


def _linear(inference: Inference) -> StarterModel:
    classifies = inference.task.kind in ("binary", "classes")
    estimator = "LogisticRegression" if classifies else "Ridge"
    parameter = "c" if classifies else "alpha"
    values = _common(inference, "linear") | {
        "estimator": estimator,
        "parameter": parameter,
        "default": "1.0",
        "numpy": "import numpy as np\n" if inference.task.kind == "classes" else "",
        "meaning": (
            "inverse of the penalty on large weights" if classifies else "penalty on large weights"
        ),
        "arguments": "C=params.c, max_iter=1000" if classifies else "alpha=params.alpha",
    }
    reason = "the weaker the more it is" if classifies else "the stronger the more it is"
    return StarterModel(
        "linear",
        f"scikit-learn's {estimator}: missing numbers become the median, texts columns of 0 and 1.",
        _package(inference) | {"model/pipeline.py": fill("model/linear.py.txt", values)},
        f"  # Penalty on large weights, {reason}. 1 is scikit-learn's own; not tuned yet.\n"
        f"  {parameter}: 1.0",
    )


def _trees(inference: Inference) -> StarterModel:
    kind = inference.task.kind
    classifies = kind in ("binary", "classes")
    estimator = f"HistGradientBoosting{'Classifier' if classifies else 'Regressor'}"
    several = kind == "amounts"
    values = _common(inference, "trees") | {
        "estimator": estimator,
        "more_imports": (
            "\nfrom sklearn.multioutput import MultiOutputRegressor" if several else ""
        ),
        "wrapped": "MultiOutputRegressor(trees)" if several else "trees",
    }
    code = fill("model/trees.py.txt", values)
    return StarterModel(
        "trees",
        f"scikit-learn's {estimator}: numbers keep their gaps, texts are categories.",
        _package(inference) | {"model/pipeline.py": code},
        "  # Weight of each tree, and their number. scikit-learn's own; not tuned yet.\n"
        "  learning_rate: 0.1\n  max_iter: 100\n"
        "  # Fewest rows in a leaf: a smaller one would describe single rows.\n"
        "  min_samples_leaf: 20",
    )
