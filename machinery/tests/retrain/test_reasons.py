"""Why to retrain, and the one line that a proposal changes."""

from datetime import date
from types import SimpleNamespace

import pytest
import yaml

from mlops.errors import Refused, UserError
from mlops.retraining import proposal
from mlops.retraining.triggers import adopt, new_partitions, triggers

HELD = SimpleNamespace(release_id="late-20130601-0003-0123456789ab")
TODAY = date(2013, 7, 1)
ALARM = {"release_id": HELD.release_id, "trigger": "performance", "reason": "D301 auc: 0.5."}


def kinds(newer=(), monitored=None, max_age_days=None):
    """The kinds of the reasons."""
    return [trigger.kind for trigger in triggers(newer, monitored, HELD, max_age_days, TODAY)]


def test_new_data_is_a_reason():
    assert kinds(newer=["2013-06"]) == ["new data"]


def test_an_alarm_is_a_reason_and_its_end_is_none():
    assert kinds(monitored=ALARM) == ["performance"]
    assert kinds(monitored=ALARM | {"trigger": None}) == []


@pytest.mark.parametrize(("allowed", "expected"), [(29, ["age"]), (30, []), (None, [])])
def test_age_is_a_reason_on_the_day_after(allowed, expected):
    """Of June 1st, on July 1st: 30 days."""
    assert kinds(max_age_days=allowed) == expected


def test_all_reasons_are_listed():
    assert kinds(["2013-06"], ALARM, 7) == ["new data", "performance", "age"]


def test_newer_partitions_are_those_after_the_last_in_use():
    assert new_partitions(["a", "b", "c"], "a") == ["b", "c"]
    assert not new_partitions(["a", "b", "c"], "c")


def test_a_last_that_is_no_partition_is_named():
    with pytest.raises(UserError, match="data.last is 'x', which is no partition. There are a, b"):
        new_partitions(["a", "b"], "x")


@pytest.mark.parametrize(
    "newest", ["2013-12", "2013-12-01", "5", "null", "it's", "a b: c", "1e3", "2024-13-45"]
)
@pytest.mark.parametrize(
    "text",
    [
        "last: 1\ndata:\n  # why\n  last: 2013-11  # newest\n  holdout: 1\nmodel: {last: 3}\n",
        "data: {first: null, last: '2013-11'} # x\nmodel: {a: 1}\n",
        'model: {a: 1}\n\ndata:\n    last:   "2013-11"\n',
    ],
)
def test_one_value_changes_and_nothing_else(text, newest):
    """Comments, order and spaces stay; a name that YAML would take for something else is quoted."""
    changed = adopt(text, newest)
    value = yaml.load(changed, yaml.BaseLoader)["data"]["last"]
    assert value == newest
    old = yaml.load(text, yaml.BaseLoader)
    old["data"]["last"] = newest
    assert yaml.load(changed, yaml.BaseLoader) == old
    assert [line.partition("#")[2] for line in changed.splitlines()] == [
        line.partition("#")[2] for line in text.splitlines()
    ]


def test_a_second_retraining_is_told_of_the_first(tmp_path, monkeypatch):
    """One at a time in one clone: they would share a worktree."""
    monkeypatch.setattr(proposal, "LOCK", tmp_path / "retrain.lock")
    with proposal.lock(), pytest.raises(Refused, match="another retraining holds .*retrain.lock"):
        with proposal.lock():
            pass
    with proposal.lock():
        pass
