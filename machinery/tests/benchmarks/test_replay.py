"""The replay: a short year of the little fork as a whole, and its parts."""

import json

import numpy as np
import pytest

from benchmarks.replay import table
from benchmarks.replay.picture import draw
from benchmarks.replay.worlds import WORLDS, Year
from mlops.config.params import EvaluateParams
from mlops.statistics.selection import select


@pytest.fixture
def year():
    """Three months of 20 days in which the second world is wrong from the second month on."""
    random = np.random.default_rng(0)
    result = Year(select({"brier": None}), EvaluateParams(replicates=200))
    days = np.repeat(np.arange(20), 10)
    for number, month in enumerate(("m1", "m2", "m3")):
        target = random.integers(0, 2, 200)
        good = 0.2 + 0.6 * target
        wrong = good if number == 0 else 1 - good
        result.add(month, target, days, dict(zip(WORLDS, (good, wrong, good))))
    return result


def test_worlds_that_agree_do_not_differ(year):
    """They share rows and draws, so what is the same cancels exactly."""
    assert year.interval("brier", ["m1"], "gated", "always retrained") == (0, 0, 0)


def test_a_mean_over_months_is_that_of_the_months(year):
    """0 in one month, 0.64 - 0.04 worse in two."""
    value, low, high = year.interval("brier", year.months, "always retrained", "gated")
    assert value == pytest.approx(0.4)
    assert low == pytest.approx(high)


def test_the_same_figures_give_the_same_picture(year):
    """Nothing of the day or the machine is in it."""
    first, second = (draw(year, ["m2"], "m2") for _ in range(2))
    assert first == second
    assert "refused" in first


def test_the_table_lists_the_refusals_with_reasons(year):
    """Every refusal of the story is at its end."""
    story = [{"month": "m2", "release": "x-1-2-3", "decision": "fail", "why": "M103 auc: 0.3."}]
    text = table.render(year, story, "m1")
    assert text.endswith("- m2, fail: M103 auc: 0.3.\n")
    assert text.count("| mean ") == 1


@pytest.mark.slow
def test_a_year_of_the_fork(fork):
    """The quarter with inverted fares is refused, and the world without a gate gets worse."""
    fork.edit("data/__init__.py", '["q1", "q2", "q3", "q4"]', '[f"q{n}" for n in range(1, 7)]')
    fork.edit(
        "data/__init__.py",
        "pd.Timestamp(2020, 3 * number + 1, 1)",
        "pd.Timestamp(2020, 1, 1) + pd.DateOffset(months=3 * number)",
    )
    fork.edit("params.yaml", "data: {}", "data: {last: q3}")
    before = fork.git("rev-parse", "HEAD")
    fork.python(
        "import sys; from benchmarks.replay.__main__ import main; sys.argv = ['']; sys.exit(main())"
    )
    assert (fork.git("rev-parse", "HEAD"), fork.git("status", "--porcelain")) == (before, "")
    result = json.loads((fork.folder / "build/replay/replay.json").read_text())
    assert [entry.get("decision") for entry in result["story"]] == ["fail", "pass", None]
    served = result["metrics"]["mae"]["q6"]
    assert served["always retrained"][1] > served["gated"][2]
