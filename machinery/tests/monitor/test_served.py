"""Logged rows get the types of training, so the same rows have not drifted."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mlops.config.params import MonitorParams
from mlops.monitor.analysis import analyse
from mlops.monitor.drift import DatedRows
from mlops.monitor.labels import Labels
from mlops.monitor.log import read_log
from mlops.monitor.reference import Reference
from mlops.releases.champion import Champion
from mlops.rules import Verdict
from mlops.training.contract import Columns

RELEASE = "mini-20260101-0001-0123456789ab"
PARAMS = SimpleNamespace(monitor=MonitorParams(min_rows=100, min_days=4), store="build/store")
WEEKEND = np.arange(400) % 7 < 2


@pytest.fixture
def analysed(monkeypatch, tmp_path, write_log, days):
    """Return a function that serves the training rows again, twenty a day, and analyses them."""

    def of(column, sent=None, name="it", text=()):
        frame = pd.DataFrame({name: column})
        scores = np.linspace(0, 1, len(frame))
        monkeypatch.setattr(Champion, "score", lambda *_: scores)
        when = np.repeat(days(len(frame) // 20), 20)
        rows = frame if sent is None else pd.DataFrame({name: sent})
        rows = rows.astype(object).where(rows.notna(), None)
        for day in dict.fromkeys(when):
            of_day = when == day
            records = rows[of_day].to_dict("records")
            write_log(tmp_path, day, records, RELEASE, scores[of_day])
        columns = Columns(
            (name,), targets=("late",), time="day", cluster=None, slices=(), text=text
        )
        trained = Reference(SimpleNamespace(), DatedRows(frame, when), columns, True)
        return analyse(trained, read_log(tmp_path, RELEASE), Labels(), PARAMS)

    return of


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(WEEKEND),
        pd.Series(WEEKEND, dtype="boolean").where(np.arange(400) % 3 > 0),
        pd.Series(np.where(WEEKEND, "yes", "no")),
        pd.Series(np.arange(400) % 5, dtype="int8"),
    ],
    ids=["booleans", "booleans or missing", "texts", "integers"],
)
def test_the_rows_of_training_served_again_have_not_moved(analysed, column):
    """Neither the column nor the scores, whatever the column holds."""
    analysis = analysed(column)
    assert {f.rule: f.verdict for f in analysis.findings} == dict.fromkeys(
        ("W101", "W105", "W106", "W107"), Verdict.PASS
    )
    assert [shift.psi for shift in (*analysis.shifts, analysis.scores)] == [0, 0]


@pytest.mark.parametrize("step", [0.1, 0.7], ids=["few values", "many values"])
@pytest.mark.parametrize("dtype", ["float32", "Float32"])
def test_a_number_is_as_narrow_as_in_training(analysed, step, dtype):
    """A client sends 0.7, which differs from the float32 0.69999999 of training."""
    sent = pd.Series((np.arange(400) % (5 if step == 0.1 else 40) * step).round(1))
    (shift,) = analysed(sent.where(sent > 0).astype(dtype), sent.where(sent > 0)).shifts
    assert shift.psi == 0


def test_a_feature_may_be_called_score(analysed):
    """It is distinct from the model's score."""
    analysis = analysed(pd.Series(np.arange(400.0) % 50), name="score")
    assert [shift.psi for shift in (*analysis.shifts, analysis.scores)] == [0, 0]


@pytest.mark.parametrize(("other", "verdict"), [(False, Verdict.PASS), (True, Verdict.FAIL)])
def test_a_text_is_compared_by_its_words(analysed, other, verdict):
    """New texts of the same words have not moved; those of other words have."""
    random = np.random.default_rng(0)
    trained, sent = (
        pd.Series([" ".join(random.choice(vocabulary, random.integers(3, 9))) for _ in range(400)])
        for vocabulary in (
            [f"word{n}" for n in range(50)],
            [f"{'mot' if other else 'word'}{n}" for n in range(50)],
        )
    )
    rules = {f.rule: f.verdict for f in analysed(trained, sent, text=("it",)).findings}
    assert rules["W105"] is verdict and rules["W106"] is Verdict.PASS


def test_days_are_compared_as_times(analysed):
    """A log holds them as text; the same have not moved."""
    days = pd.Series(pd.date_range("2026-01-01", periods=400))
    (shift,) = analysed(days, days.dt.strftime("%Y-%m-%d")).shifts
    assert shift.psi == 0
