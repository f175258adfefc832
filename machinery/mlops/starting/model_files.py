"""What all starters of a model have in common: names, metrics, and how a row is answered."""

import re
from dataclasses import dataclass

from mlops.starting.filling import block, fill
from mlops.starting.infer import Inference

METRICS = {
    "binary": ("auc", "log_loss", "brier"),
    "classes": ("auc", "log_loss", "accuracy"),
    "amount": ("mae", "rmse", "r2"),
    "amounts": ("mae", "rmse", "r2"),
    "quantiles": ("pinball", "coverage", "mae", "r2"),
}
LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class StarterModel:
    """The files of `model/`, its section of params.yaml, and the packages it needs to serve."""

    family: str
    description: str
    files: dict[str, str]
    params: str
    serve: tuple[str, ...] = ("pandas", "scikit-learn", "skops")

    @property
    def title(self) -> str:
        """The estimator with its library."""
        return self.description.partition(":")[0]


def common(inference: Inference, trusted: list[str]) -> dict[str, str]:
    """Return the placeholders that the templates of all families have."""
    kind = inference.task.kind
    constants = [
        "FRAME = True  # `predict` gets a DataFrame in the service too, as `train` does",
        f"METRICS = {METRICS[kind]!r}",
    ]
    if kind == "classes":
        constants.append(f"CLASSES = {inference.task.labels!r}")
    if kind == "quantiles":
        constants.append(f"QUANTILES = {LEVELS!r}")
    constants.append("# What skops may build on loading, besides scikit-learn's own estimators.")
    constants.append(f"TRUSTED = {trusted!r}")
    texts = inference.screening.texts
    numbers = [one.name for one in inference.features if one.is_number]
    others = [f.name for f in inference.features if not f.is_number and f.name not in texts]
    return {
        "title": _title(inference),
        "numbers": repr(numbers),
        "categories": repr(others),
        "texts": repr(list(texts)),
        "constants": "\n".join(constants),
        "returns": RETURNS[kind],
        "predict": block(PREDICT[kind], 4),
    }


RETURNS = {
    "binary": "the probability of a 1 for each row",
    "classes": "the probability of each class (rows, classes), in the order of CLASSES",
    "amount": "one amount for each row",
    "amounts": "the amounts of each row (rows, targets)",
    "quantiles": "the quantiles of each row (rows, quantiles), sorted, so that none cross",
}
PREDICT = {
    "binary": "return model.predict_proba(frame)[:, 1]",
    "amount": "return model.predict(frame)",
    "amounts": "return model.predict(frame)",
    "quantiles": ("return np.sort(np.column_stack([one.predict(frame) for one in model]), axis=1)"),
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


def package(inference: Inference) -> dict[str, str]:
    """Return `model/__init__.py`."""
    names = ["FRAME", "METRICS", "Params", "load", "predict", "save", "train"]
    names += {"classes": ["CLASSES"], "quantiles": ["QUANTILES"]}.get(inference.task.kind, [])
    names = sorted(names, key=lambda name: (not name.isupper(), name))
    values = {"names": ", ".join(names), "quoted": ", ".join(f'"{name}"' for name in names)}
    return {"model/__init__.py": fill("model/__init__.py.txt", values)}
