"""Training: gradient-boosted trees on the encoded columns."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.features import TYPES, Categories, code_books, encode, learn_categories
from model.params import Params

if TYPE_CHECKING:
    import pandas as pd
    from xgboost import Booster


@dataclass(frozen=True)
class Model:
    """A trained booster, and the categories of its training rows with their codes."""

    booster: "Booster"
    categories: Categories
    codes: dict[str, dict[str, int]]


def train(
    frame: "pd.DataFrame",
    target: np.ndarray,
    params: Params,
    *,
    device: str,
    threads: int,
    seed: int,
) -> Model:
    """Fit the classifier on features (rows, 23) and labels 0 or 1 (rows,).

    Device is `cpu`, `cuda` or `auto` (a GPU if there is one); threads 0 means all cores. Raises
    ValueError for labels of one class only, and if training with `cuda` ran on the CPU.
    """
    from xgboost import XGBClassifier

    classes = sorted(set(np.unique(target).tolist()))
    if classes != [0, 1]:
        raise ValueError(f"training needs the labels 0 and 1, found {classes}")
    categories = learn_categories(frame)
    codes = code_books(categories)
    estimator = XGBClassifier(
        **params.model_dump(),
        tree_method="hist",
        enable_categorical=True,
        feature_types=list(TYPES),
        device="cuda" if device == "auto" and gpu_present() else device.replace("auto", "cpu"),
        n_jobs=threads or None,
        random_state=seed,
    )
    estimator.fit(encode(frame, codes), target)
    model = Model(estimator.get_booster(), categories, codes)
    # XGBoost only warns and trains on the CPU where there is no GPU.
    if device == "cuda" and not trained_on(model).startswith("cuda"):
        raise ValueError(
            "train.device is cuda, but XGBoost found no GPU it can use. "
            "Set train.device to auto or cpu in params.yaml, or train where there is a GPU."
        )
    return model


def gpu_present() -> bool:
    """Return whether XGBoost was built for CUDA and the machine shows an NVIDIA device."""
    import xgboost

    return bool(xgboost.build_info().get("USE_CUDA")) and Path("/dev/nvidiactl").exists()


def trained_on(model: Model) -> str:
    """Return the device a model was effectively trained on, `cpu` or `cuda:<n>`."""
    return json.loads(model.booster.save_config())["learner"]["generic_param"]["device"]


def save(model: Model, folder: Path) -> None:
    """Write `model.ubj` and `categories.json`: only data, no code that runs on loading."""
    model.booster.save_model(folder / "model.ubj")
    text = json.dumps(model.categories, indent=1, sort_keys=True)
    (folder / "categories.json").write_text(text + "\n", encoding="utf-8")
