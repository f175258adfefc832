"""The model that a fork begins with: which estimator, its code and its parameters."""

from importlib.util import find_spec

from mlops.errors import UserError, did_you_mean
from mlops.gate.formatting import number
from mlops.starting import boosted
from mlops.starting.filling import fill
from mlops.starting.infer import Inference
from mlops.starting.model_files import StarterModel, common, package

# With fewer rows than this a linear model is the safer baseline.
ROWS_FOR_TREES = 2000
# With more, trees are better nearly always, and a second trial takes minutes.
MOST_COMPARED = 100_000
# A model, all files, the record of its first training, and params.schema.json.
Trial = tuple[StarterModel, dict[str, bytes], dict, bytes]
FAMILIES = ("linear", "trees", "text", "quantiles", "xgboost", "lightgbm")


def require_known(name: str | None) -> None:
    """Raise UserError for a family of models that there is none of, or whose library is missing."""
    if name not in (None, *FAMILIES):
        raise UserError(
            f"MODEL is {name!r}. It is one of {', '.join(FAMILIES)}, or left out."
            f"{did_you_mean(name, FAMILIES)}"
        )
    if name in ("xgboost", "lightgbm") and find_spec(name) is None:
        raise UserError(
            f"MODEL={name} needs the package {name}, which is not installed. Add it to "
            "`dependencies` in pyproject.toml, run `make lock`, then this again."
        )


def starter(inference: Inference, family: str | None) -> StarterModel:
    """Return the starter of a family; without one the number of rows decides."""
    rows = int(inference.partitioning.trained_on.sum())
    chosen = family or ("trees" if rows >= ROWS_FOR_TREES else "linear")
    if chosen == "text" and not inference.screening.texts:
        raise UserError(
            "MODEL=text reads free texts, and no column holds any: more than three words, mostly "
            "different ones. Leave MODEL out."
        )
    if chosen in ("linear", "text"):
        return _linear(inference, chosen)
    return boosted.starter(inference, chosen)


def candidates(inference: Inference, family: str | None) -> list[StarterModel]:
    """Return the starters to try: both usual ones, unless one is named or the rows are many."""
    model = starter(inference, family)
    rows = int(inference.partitioning.trained_on.sum())
    if family or rows > MOST_COMPARED or inference.task.kind not in ("binary", "classes", "amount"):
        return [model]
    other = "linear" if model.family == "trees" else "trees"
    return [model, starter(inference, other)]


def better(trials: list[Trial]) -> Trial:
    """Return the trial with the smallest error on the held-out rows, the first of equal ones."""
    return min(trials, key=lambda trial: _error(trial[2])[1])


def comparison(trials: list[tuple[StarterModel, dict]], chosen: StarterModel) -> str:
    """Return the sentence that states why a model was chosen; none was, if one was tried."""
    if len(trials) < 2:
        return ""
    errors = [f"{number(_error(record)[1])} for {model.family}" for model, record in trials]
    (_, record), *_ = trials
    name, _ = _error(record)
    constant = record["evaluation"]["metrics"][name]["constant"]
    against = "" if constant is None else f"; a constant has {number(constant)}"
    return (
        f"{chosen.family} was chosen by {name} on the held-out rows: {', '.join(errors)}{against}."
    )


def _error(record: dict) -> tuple[str, float]:
    metrics = record["evaluation"]["metrics"]
    name = "log_loss" if "log_loss" in metrics else "mae"
    return name, metrics[name]["candidate"]["value"]


def _linear(inference: Inference, family: str) -> StarterModel:
    classifies = inference.task.kind in ("binary", "classes")
    estimator = "LogisticRegression" if classifies else "Ridge"
    parameter = "c" if classifies else "alpha"
    meaning = (
        "inverse of the penalty on large weights" if classifies else "penalty on large weights"
    )
    values = common(inference, ["numpy.dtype"]) | {
        "estimator": estimator,
        "parameter": parameter,
        "default": "1.0",
        "numpy": "import numpy as np\n" if inference.task.kind == "classes" else "",
        "meaning": meaning,
        "arguments": "C=params.c, max_iter=1000" if classifies else "alpha=params.alpha",
    }
    reason = "the weaker the more it is" if classifies else "the stronger the more it is"
    params = (
        f"  # Penalty on large weights, {reason}. 1 is scikit-learn's own; not tuned yet.\n"
        f"  {parameter}: 1.0"
    )
    description = "missing numbers become the median, texts columns of 0 and 1."
    if family == "text":
        params += (
            "\n  # Most words of each text, and the fewest rows that a word must be in: a word of"
            "\n  # one row stands for that row only.\n  max_features: 20000\n  min_df: 2"
        )
        description = "a weight for each word of a free text, and the columns beside it."
    return StarterModel(
        family,
        f"scikit-learn's {estimator}: {description}",
        package(inference) | {"model/pipeline.py": fill(f"model/{family}.py.txt", values)},
        params,
    )
