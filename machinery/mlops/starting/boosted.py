"""Starters with gradient-boosted trees: scikit-learn's, XGBoost's, LightGBM's, and quantiles."""

from dataclasses import dataclass

from mlops.starting.filling import block, fill
from mlops.starting.infer import Inference
from mlops.starting.model_files import StarterModel, common, package

CODES = (
    'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=250)'
)
ONE_HOT = 'OneHotEncoder(handle_unknown="ignore", max_categories=50, sparse_output=False)'
PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"


@dataclass(frozen=True)
class Library:
    """What differs between the libraries of gradient-boosted trees.

    `{}` in `estimator` and `trusted` stands for Classifier or Regressor. Parameters are (name,
    type, default, bounds, meaning).
    """

    name: str
    estimator: str
    encoder: str
    arguments: str
    parameters: tuple[tuple[str, str, str, str, str], ...]
    trusted: tuple[str, ...]
    serve: tuple[str, ...]


def _parameters(trees: str, leaf: str, default: str) -> tuple[tuple[str, str, str, str, str], ...]:
    return (
        ("learning_rate", "float", "0.1", "gt=0, le=1", "weight of each tree"),
        (trees, "int", "100", "ge=1, le=10_000", "number of trees"),
        (leaf, "int", default, "ge=1", "fewest rows in a leaf"),
    )


SCIKIT_LEARN = Library(
    "scikit-learn",
    "sklearn.ensemble.HistGradientBoosting{}",
    CODES,
    "categorical_features=[False] * len(NUMBERS) + [True] * len(CATEGORIES),\n"
    "early_stopping=False,",
    _parameters("max_iter", "min_samples_leaf", "20"),
    ("functools.partial", PREDICTOR, "sklearn.utils.validation.check_array"),
    ("pandas", "scikit-learn", "skops"),
)
LIBRARIES = {
    "trees": SCIKIT_LEARN,
    "quantiles": SCIKIT_LEARN,
    "xgboost": Library(
        "XGBoost",
        "xgboost.XGB{}",
        CODES,
        'feature_types=["q"] * len(NUMBERS) + ["c"] * len(CATEGORIES),\n'
        'enable_categorical=True,\ntree_method="hist",',
        _parameters("n_estimators", "min_child_weight", "5"),
        ("xgboost.core.Booster", "xgboost.sklearn.XGB{}"),
        ("pandas", "scikit-learn", "skops", "xgboost-cpu", "xgboost"),
    ),
    "lightgbm": Library(
        "LightGBM",
        "lightgbm.LGBM{}",
        ONE_HOT,
        "deterministic=True,\nforce_row_wise=True,\nverbosity=-1,",
        _parameters("n_estimators", "min_child_samples", "20"),
        ("collections.OrderedDict", "lightgbm.basic.Booster", "lightgbm.sklearn.LGBM{}"),
        ("lightgbm", "pandas", "scikit-learn", "skops"),
    ),
}


def starter(inference: Inference, family: str) -> StarterModel:
    """Return the starter of a library."""
    library, kind = LIBRARIES[family], inference.task.kind
    which = "Classifier" if kind in ("binary", "classes") else "Regressor"
    module, _, estimator = library.estimator.format(which).rpartition(".")
    trusted = [name.format(which) for name in library.trusted]
    values = common(inference, trusted) | {
        "estimator": estimator,
        "library": library.name,
        "kind_of_trees": f"gradient-boosted trees of {library.name}",
        "imports": _imports(module, estimator, library.encoder, kind),
        "numpy": "import numpy as np\n" if library.encoder == CODES or kind == "classes" else "",
        "encoder": library.encoder,
        "parameters": block("\n".join(map(_field, library.parameters)), 4),
        "arguments": block(library.arguments, 8),
        "wrapped": "MultiOutputRegressor(trees)" if kind == "amounts" else "trees",
    }
    template = "quantiles" if family == "quantiles" else "trees"
    return StarterModel(
        family,
        f"{library.name}'s {estimator}: numbers keep their gaps, texts are categories.",
        package(inference) | {"model/pipeline.py": fill(f"model/{template}.py.txt", values)},
        _section(library),
        library.serve,
    )


def _imports(module: str, estimator: str, encoder: str, kind: str) -> str:
    lines = [
        f"from {module} import {estimator}",
        *(["from sklearn.multioutput import MultiOutputRegressor"] if kind == "amounts" else []),
        "from sklearn.pipeline import Pipeline, make_pipeline",
        f"from sklearn.preprocessing import {encoder.partition('(')[0]}",
    ]
    # Third-party modules are sorted as isort does.
    return "\n".join(sorted(lines) if module == "sklearn.ensemble" else [*lines[1:], lines[0]])


def _field(parameter: tuple[str, str, str, str, str]) -> str:
    name, kind, default, bounds, meaning = parameter
    return f'{name}: {kind} = Field({default}, {bounds}, description="{meaning}")'


def _section(library: Library) -> str:
    (rate, *_), (trees, *_), (leaf, _, rows, *_) = library.parameters
    return (
        "  # Weight of each tree, and their number; not tuned yet.\n"
        f"  {rate}: 0.1\n  {trees}: 100\n"
        "  # Fewest rows in a leaf: a smaller one would describe single rows.\n"
        f"  {leaf}: {rows}"
    )
