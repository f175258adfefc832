"""Team code that breaks the contract gets a clear error, not a traceback."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from mlops.errors import UserError
from mlops.serving.answer import Answer
from mlops.training import calls, contract, partitions

COLUMNS = contract.Columns(("km",), targets=("late",), time="day", cluster=None, slices=())
ROWS = pd.DataFrame({"day": pd.to_datetime(["2026-01-01"]), "km": [1.0], "late": [1]})


@pytest.fixture
def team(monkeypatch):
    """A function that replaces names of the team's code."""

    def offers(**names):
        for folder in ("team_data", "team_model"):
            monkeypatch.setattr(contract, folder, lambda: SimpleNamespace(**names))

    return offers


@pytest.mark.parametrize(
    ("returned", "types"),
    [
        (ROWS, "DataFrame"),
        ((ROWS, 7), "DataFrame, int"),
        ((ROWS, "sha256:1", "more"), "DataFrame, str, str"),
    ],
)
def test_a_loader_must_return_rows_and_fingerprint(team, returned, types):
    team(load=lambda name: returned)
    with pytest.raises(
        UserError, match=rf"^data.load\('one'\) returned {types}. It must return the"
    ):
        partitions.load(["one"])


def test_a_loader_that_keeps_the_contract_is_accepted(team):
    team(load=lambda name: (ROWS, "sha256:1"))
    assert partitions.load(["one"]).fingerprints == {"one": "sha256:1"}


def test_a_function_with_other_arguments_is_the_team_s_mistake(team):
    team(predict=lambda model: np.zeros(1))
    with pytest.raises(
        UserError, match="^model.predict: .* takes 1 positional .* has its arguments"
    ):
        calls.predict(None, ROWS)


def test_a_type_error_inside_the_team_s_code_is_not_converted():
    """Its traceback helps the team."""
    source = {"__name__": "model.predict"}
    exec("def predict(model, rows): return 1 + 'a'", source)  # pylint: disable=exec-used
    with pytest.raises(TypeError), contract.team_code("model.predict"):
        source["predict"](None, None)


@pytest.mark.parametrize("answer", [np.zeros((1, 2)), np.zeros(2)])
def test_more_than_a_score_a_row_is_refused(team, answer):
    team(predict=lambda model, rows: answer, TARGET="late")
    with pytest.raises(
        UserError, match=r"for 1 rows; it must return \(1,\): one number .*\[:, 1\]"
    ):
        calls.predict(None, ROWS)


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        ({"TARGET": "late"}, Answer()),
        ({"TARGET": "late", "CLASSES": (0, 1, "2")}, Answer("classes", ("0", "1", "2"))),
        ({"TARGET": "late", "QUANTILES": (0.1, 0.9)}, Answer("quantiles", ("0.1", "0.9"))),
        ({"TARGET": ("late", "km")}, Answer("outputs", ("late", "km"))),
    ],
)
def test_a_team_s_names_say_what_a_row_has(team, names, answer):
    team(**names)
    assert contract.answer() == answer


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"CLASSES": ("a", "b"), "QUANTILES": (0.1, 0.9)}, "A row has classes and quantiles"),
        ({"CLASSES": ("a", "a")}, "The classes are a, a: name at least two, each once"),
        ({"CLASSES": ("a",)}, "name at least two"),
        ({"QUANTILES": (0.9, 0.1)}, "Name shares between 0 and 1, the smallest first"),
        ({"QUANTILES": (10, 90)}, "Name shares between 0 and 1"),
    ],
)
def test_names_that_contradict_are_refused(team, names, message):
    team(TARGET="late", **names)
    with pytest.raises(UserError, match=message):
        contract.answer()


def test_classes_are_trained_on_by_their_positions(team):
    """Whole numbers that a missing value made floats are the same classes."""
    team(TARGET="late", CLASSES=("b", 3, "a"))
    frame = pd.DataFrame({"late": ["a", 3.0, "b", 3]})
    assert partitions.target(frame, COLUMNS).tolist() == [2, 1, 0, 1]


def test_a_class_that_the_model_does_not_have_is_refused(team):
    team(TARGET="late", CLASSES=("a", "b"))
    frame = ROWS.assign(late="c")
    with pytest.raises(UserError, match="holds c; model.CLASSES has a, b. Add the class"):
        partitions.require(frame, COLUMNS, "rows")


@pytest.mark.parametrize(
    ("names", "cluster", "message"),
    [
        ({"SLICES": "km"}, "day", r'SLICES is the text .km.. Make it a tuple: \("km",\)'),
        ({"GROUP": "day"}, None, "gate.cluster is not set, .* Set `cluster: day` below gate:"),
    ],
)
def test_a_name_that_would_be_ignored_is_refused(team, names, cluster, message):
    """A text is a sequence of letters, and a group that no interval uses groups nothing."""
    schema = pa.DataFrameSchema({name: pa.Column() for name in ROWS})
    team(SCHEMA=schema, TARGET="late", TIME="day", **names)
    with pytest.raises(UserError, match=message):
        contract.columns(cluster)


@pytest.mark.parametrize("scores", [[[0.5, 0.6]], [[1.2, -0.2]]])
def test_scores_of_classes_are_probabilities(team, scores):
    """A sum over 1 or a share below 0 would make every metric meaningless."""
    team(TARGET="late", CLASSES=("a", "b"), predict=lambda *_: np.array(scores))
    with pytest.raises(UserError, match="With CLASSES it returns probabilities"):
        calls.predict(None, ROWS)


def test_probabilities_in_float32_are_accepted(team):
    """A softmax of a thousand classes rounds."""
    scores = np.full((1, 1000), 0.001, np.float32)
    team(TARGET="late", CLASSES=tuple(range(1000)), predict=lambda *_: scores)
    assert calls.predict(None, ROWS).shape == (1, 1000)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"day": ["2026-01-01"]}, "TIME names day, which holds str. It must hold dates"),
        ({"day": [1]}, "TIME names day, which holds int64. It must hold dates"),
        ({"late": ["yes"]}, "TARGET names late, which holds str. It must hold numbers: 0 or 1"),
    ],
)
def test_a_column_that_does_not_fit_its_role_is_refused(wrong, message):
    partitions.require(ROWS, COLUMNS, "q1")
    with pytest.raises(UserError, match=f"^q1: {message}"):
        partitions.require(ROWS.assign(**wrong), COLUMNS, "q1")


@pytest.mark.parametrize(
    ("column", "values", "role"),
    [
        ("who", ["ann", None, None], "gate.cluster"),
        ("who", [1.0, np.nan, np.nan], "gate.cluster"),
        ("who", pd.array([1, None, None], dtype="Int64"), "gate.cluster"),
        ("day", pd.to_datetime(["2026-01-01", None, None]), "TIME"),
        ("late", [1.0, np.nan, np.nan], "TARGET"),
        ("late", [1.0, np.inf, -np.inf], "TARGET"),
        ("late", pd.array([1.0, np.inf, None], dtype="Float64"), "TARGET"),
    ],
)
def test_a_row_without_group_day_or_outcome_is_refused(column, values, role):
    """Text and None cannot be sorted; NaN counts as one group or as many."""
    columns = dataclasses.replace(COLUMNS, cluster="who")
    rows = pd.concat([ROWS.assign(who="ann")] * 3, ignore_index=True)
    partitions.require(rows, columns, "q1")
    message = (
        f"^q1: {role} names {column}, which is missing or infinite in 2 of 3 rows. .* data.load"
    )
    with pytest.raises(UserError, match=message):
        partitions.require(rows.assign(**{column: values}), columns, "q1")


def test_a_missing_group_column_is_refused():
    """The group may be a column that is not a feature."""
    with pytest.raises(UserError, match=r"^q1: the column\(s\) who are missing; data.SCHEMA"):
        partitions.require(ROWS, dataclasses.replace(COLUMNS, cluster="who"), "q1")


def test_params_that_are_no_pydantic_model_are_refused(team):
    team(Params=dict)
    with pytest.raises(UserError, match="model.Params is <class 'dict'>.* pydantic's BaseModel"):
        contract.params()


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("lightgbm", "add its package to pyproject.toml and `make lock`"),
        ("model.feature", "Add that module to model/"),
        ("model", "Run this in the repository's root"),
    ],
)
def test_a_failed_import_is_reported_with_its_remedy(monkeypatch, missing, remedy):
    def fails(name):
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(contract.importlib, "import_module", fails)
    with pytest.raises(
        UserError, match=f"^model/ cannot be imported: No .*'{missing}'. .*{remedy}"
    ):
        contract.team_model()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pd.concat([ROWS, ROWS[["km"]]], axis=1),
            r"data.load\('one'\) returned the column\(s\) km more than once. Drop or rename",
        ),
        (
            ROWS.astype({"km": "double[pyarrow]"}),
            r"returned columns with types of Arrow: km \(double\[pyarrow\]\).*dtype_backend",
        ),
    ],
    ids=["a column twice", "types of Arrow"],
)
def test_a_frame_that_cannot_be_used_is_refused_where_it_is_loaded(team, frame, message):
    """A traceback later would name none of it."""
    team(load=lambda name: (frame, "sha256:1"))
    with pytest.raises(UserError, match=message):
        partitions.load(["one"])


def test_text_that_arrow_keeps_is_text(team):
    """It is a type of pandas."""
    frame = ROWS.assign(town=pd.Series(["a"], dtype="string[pyarrow]"))
    team(load=lambda name: (frame, "sha256:1"))
    assert partitions.load(["one"]).frame.equals(frame)


def test_a_year_beyond_nanoseconds_is_named(team):
    """A partition alone holds it; together with one of nanoseconds it does not fit."""
    frames = {
        name: ROWS.assign(day=pd.Series([day]).astype(f"datetime64[{unit}]"))
        for name, day, unit in (("one", "2026-01-01", "ns"), ("two", "9999-12-31", "us"))
    }
    team(load=lambda name: (frames[name], "sha256:1"))
    assert len(partitions.load(["two"]).frame) == 1
    with pytest.raises(UserError, match="one, two hold times of different units.*9999-12-31"):
        partitions.load(["one", "two"])


def test_the_name_of_a_partition_is_text(team):
    """A number would be looked up as text in the record."""
    team(partitions=lambda: [2025, 2026])
    with pytest.raises(UserError, match="data.partitions: 2025 is int. .* return str"):
        partitions.split(SimpleNamespace(data=SimpleNamespace(first=None, last=None, holdout=1)))


class Ride(pa.DataFrameModel):
    """A schema as a class, which pandera offers too."""

    km: float


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (Ride, "data.SCHEMA is Ride. It must be .*: SCHEMA = YourModel.to_schema"),
        ({"km": float}, "data.SCHEMA is {'km'.* It must be a pandera DataFrameSchema: data/README"),
    ],
    ids=["model", "dict"],
)
def test_a_schema_of_another_kind_is_refused(team, declared, message):
    """The remedy is one call."""
    team(SCHEMA=declared)
    with pytest.raises(UserError, match=message):
        contract.schema()
    team(SCHEMA=Ride.to_schema())
    assert list(contract.schema().columns) == ["km"]
