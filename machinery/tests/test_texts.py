"""A free text has no categories: it is judged by its length and its words, and never quoted."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from mlops.config.params import CheckParams
from mlops.errors import UserError
from mlops.gate.quality import quality
from mlops.monitor.drift import DatedRows
from mlops.rules import Verdict
from mlops.serving.metrics import _unseen_bounds
from mlops.statistics.drift import drifts, references
from mlops.statistics.quality import profile
from mlops.training import contract
from mlops.training.row_schema import row_schema

ENGLISH = [f"word{n}" for n in range(300)]


def remarks(seed, rows=1000, words=ENGLISH, length=(3, 12)):
    """Texts of some words, all different."""
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(words, random.integers(*length))) for _ in range(rows)]


@pytest.fixture
def reference():
    """The record of a column of remarks."""
    frame = pd.DataFrame({"remark": remarks(0, 5000)})
    return references(frame, 1000, min_rows=10, text=["remark"])


def test_a_record_holds_no_text(reference):
    """Words of many rows are kept, and how many texts have which length."""
    (bins,) = reference.values()
    json.dumps(bins, allow_nan=False)
    assert set(bins["words"]) <= set(ENGLISH) and sum(bins["rows"]) == 5000
    names = pd.DataFrame({"remark": [f"name{n} met word1" for n in range(50)]})
    (bins,) = references(names, 10, min_rows=10, text=["remark"]).values()
    assert bins["words"] == ["met", "word1"]


@pytest.mark.parametrize(
    ("served", "moved"),
    [
        ({}, False),
        ({"length": (15, 40)}, True),
        ({"words": [word.upper() for word in ENGLISH]}, False),
        ({"words": [f"mot{n}" for n in range(300)]}, True),
    ],
    ids=["the same kind", "longer", "in capitals", "in another language"],
)
def test_remarks_move_when_they_are_longer_or_of_other_words(reference, served, moved):
    """New texts of the same kind are no drift, though no text recurs."""
    (drift,) = drifts(reference, pd.DataFrame({"remark": remarks(1, **served)}))
    assert (drift.times > 4) == moved
    assert "characters" in drift.bin and "unusual words" in drift.bin


def test_texts_may_be_missing_or_empty(reference):
    """A column of missing values has moved, one that always was has not."""
    nothing = pd.DataFrame({"remark": [None] * 500})
    (drift,) = drifts(reference, nothing)
    assert drift.bin == "missing" and drift.times > 4
    (drift,) = drifts(references(nothing, 100, text=["remark"]), nothing)
    assert drift.index == 0
    empty = pd.DataFrame({"remark": ["", None] * 250})
    assert drifts(references(empty, 100, text=["remark"]), empty)[0].index == 0


def findings_of(*columns, text=("remark",)):
    """The findings that do not pass, of partitions with these texts."""
    profiles = {
        str(n): profile(pd.DataFrame({"at": range(len(c)), "remark": c}), "at", text)
        for n, c in enumerate(columns)
    }
    findings = quality(profiles, (str(len(columns) - 1),), CheckParams(), 10)
    return [finding for finding in findings if finding.verdict is not Verdict.PASS]


def test_a_text_has_no_categories_but_may_freeze():
    """New texts are no new categories. One that is in all rows is refused, and not quoted."""
    few = [remarks(0, 3) * 200, remarks(1, 3) * 200]
    assert {f.rule for f in findings_of(*few, text=())} == {"D104"}
    assert {f.rule for f in findings_of(*few)} == set()
    (frozen,) = findings_of(few[0], ["The secret"] * 600)
    assert (frozen.rule, frozen.subject) == ("D105", "1 remark")
    assert "every value is the same" in frozen.message and "secret" not in frozen.message


def test_the_service_counts_no_unseen_text(reference):
    """Every text is new; a category beside it is counted still."""
    towns = references(pd.DataFrame({"town": ["a", "b"] * 50}), 10, min_rows=10)
    fields = {name: {"type": "string"} for name in ("remark", "town")}
    assert _unseen_bounds({**reference, **towns}, fields, 0.05) == {"town": 0.05}


@pytest.mark.parametrize(
    ("column", "max_unseen", "bound"),
    [
        (["a"] * 90 + ["b"] * 10, 0.05, 0.05),
        (["a"] * 90 + ["b"] * 10, {"town": 0.2, "default": 0.05}, 0.2),
        (["a"] * 90 + ["b"] * 10, {"other": 0.2, "default": 0.05}, 0.05),
        (["a"] * 90 + ["b"] * 10, {"other": 0.2}, 0.1),
        (["a"] * 80 + [f"b{n}" for n in range(20)], 0.05, 0.4),
        ([f"b{n}" for n in range(100)], 0.05, None),
        ([None] * 100, 0.05, 0.05),
    ],
    ids=["one share", "its own", "the default", "none", "rare ones", "names", "nothing"],
)
def test_a_release_brings_its_bound_of_unseen_categories(column, max_unseen, bound):
    """A text that nobody declared as such does not alarm for ever."""
    towns = references(pd.DataFrame({"town": column}, dtype=object), 10, min_rows=10)
    bounds = _unseen_bounds(towns, {"town": {"type": "string"}}, max_unseen)
    assert bounds.get("town") == (bound and pytest.approx(bound))


@pytest.fixture
def team(monkeypatch):
    """A function that gives `data` a column of remarks, and other names."""
    column = pa.Column(str, pa.Check.str_length(1, 500))
    schema = pa.DataFrameSchema(
        {
            "at": pa.Column(pa.DateTime),
            "remark": column,
            "town": pa.Column(str),
            "late": pa.Column(int),
        },
    )

    def offers(**names):
        data = {"SCHEMA": schema, "TARGET": "late", "TIME": "at", "TEXT": ("remark",), **names}
        monkeypatch.setattr(contract, "team_data", lambda: SimpleNamespace(**data))

    offers()
    return offers


def test_a_text_is_never_the_example_of_the_service(team):  # pylint: disable=unused-argument
    """However often it occurs; its length is limited as data.SCHEMA says."""
    schema = row_schema(["remark", "town"], pd.DataFrame({"remark": ["Ann"] * 9, "town": "a"}), 5)
    assert schema["examples"] == [{"remark": "an example", "town": "a"}]
    assert schema["properties"]["remark"]["maxLength"] == 500


def test_the_columns_of_texts_are_known(team):
    """Without TEXT there is none."""
    assert contract.columns(None).text == ("remark",)
    team(TEXT=())
    assert not contract.columns(None).text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"TEXT": ("remarks",)}, "TEXT remarks names the column .* Did you mean 'remark'"),
        ({"TEXT": ("late",)}, "TEXT names late, which is one of SLICES or no feature"),
        ({"SLICES": ("remark",)}, "TEXT names remark, which is one of SLICES or no feature"),
    ],
    ids=["misspelt", "the target", "a slice"],
)
def test_a_text_that_is_none_is_refused(team, names, message):
    """A misspelt name would quote the texts; a slice would name them."""
    team(**names)
    with pytest.raises(UserError, match=message):
        contract.columns(None)


def test_a_classifier_of_served_rows_sees_the_length_of_a_text():
    """Its codes of categories would separate any two samples of texts."""
    at = pd.to_datetime(["2026-01-01", None])
    frame = pd.DataFrame({"remark": ["abc", None], "at": at, "town": ["a", "b"]})
    numbers = DatedRows(frame, np.array(["1", "2"])).as_numbers(["remark"]).frame
    assert numbers["remark"].tolist()[0] == 3 and numbers.isna().sum().tolist() == [1, 1, 0]
    assert numbers["at"].tolist()[0] == 20454 and numbers["town"].tolist() == ["a", "b"]


def test_a_refusal_quotes_no_text():
    """Not even one that all rows have."""
    from mlops.steps.check_data import _problems

    schema = pa.DataFrameSchema({"remark": pa.Column(str, pa.Check.str_matches("^Bob"))})
    frame = pd.DataFrame({"remark": ["Ann Smith"] * 50})
    (quoted,) = _problems(frame, schema, (), 10)
    (described,) = _problems(frame, schema, ("remark",), 10)
    assert "'Ann Smith'" in quoted
    assert re.search(r"50 value\(s\) such as text of 9 characters \(TEXT\) fail", described)
