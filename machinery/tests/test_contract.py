"""Team code that breaks the contract gets a clear error, not a traceback."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mlops.errors import UserError
from mlops.training import contract

COLUMNS = contract.Columns(("km",), target="late", time="day", cluster=None, slices=())
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
        contract.load(["one"])


def test_a_loader_that_keeps_the_contract_is_accepted(team):
    team(load=lambda name: (ROWS, "sha256:1"))
    assert contract.load(["one"]).fingerprints == {"one": "sha256:1"}


def test_a_function_with_other_arguments_is_the_team_s_mistake(team):
    team(predict=lambda model: np.zeros(1))
    with pytest.raises(
        UserError, match="^model.predict: .* takes 1 positional .* has its arguments"
    ):
        contract.predict(None, ROWS)


def test_a_type_error_inside_the_team_s_code_is_not_converted():
    """Its traceback helps the team."""
    source = {"__name__": "model.predict"}
    exec("def predict(model, rows): return 1 + 'a'", source)  # pylint: disable=exec-used
    with pytest.raises(TypeError), contract.team_code("model.predict"):
        source["predict"](None, None)


@pytest.mark.parametrize("answer", [np.zeros((1, 2)), np.zeros(2)])
def test_more_than_a_score_a_row_is_refused(team, answer):
    team(predict=lambda model, rows: answer)
    with pytest.raises(UserError, match=r"for 1 rows; it must return one score .*\[:, 1\]"):
        contract.predict(None, ROWS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"day": ["2026-01-01"]}, "TIME names day, which holds str. It must hold dates"),
        ({"day": [1]}, "TIME names day, which holds int64. It must hold dates"),
        ({"late": ["yes"]}, "TARGET names late, which holds str. It must hold numbers: 0 or 1"),
    ],
)
def test_a_column_that_does_not_fit_its_role_is_refused(wrong, message):
    contract.require(ROWS, COLUMNS, "q1")
    with pytest.raises(UserError, match=f"^q1: {message}"):
        contract.require(ROWS.assign(**wrong), COLUMNS, "q1")


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
    contract.require(rows, columns, "q1")
    message = (
        f"^q1: {role} names {column}, which is missing or infinite in 2 of 3 rows. .* data.load"
    )
    with pytest.raises(UserError, match=message):
        contract.require(rows.assign(**{column: values}), columns, "q1")


def test_a_missing_group_column_is_refused():
    """The group may be a column that is not a feature."""
    with pytest.raises(UserError, match=r"^q1: the column\(s\) who are missing; data.SCHEMA"):
        contract.require(ROWS, dataclasses.replace(COLUMNS, cluster="who"), "q1")


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
