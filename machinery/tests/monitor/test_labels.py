"""Labels in all the forms in which people export them."""

import pandas as pd
import pytest

from mlops.errors import UserError
from mlops.monitor.labels import find_labels, read_labels
from mlops.monitor.sources import local

BINARY = {0.0, 1.0}


@pytest.fixture
def csv(tmp_path):
    """Return a function that writes a CSV and returns its path."""

    def write(text, name="labels.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_labels_are_read_from_csv(csv):
    """Ids stay text, even those that look like a number."""
    labels = read_labels([csv("id,outcome\n1e5,1\n007,0\n")], BINARY)
    assert labels.outcomes == {"1e5": 1, "007": 0}


def test_labels_are_read_from_parquet(tmp_path):
    """Truth values count as 1 and 0."""
    frame = pd.DataFrame({"id": ["a", "b"], "outcome": [True, False], "who": ["x", "y"]})
    frame.to_parquet(tmp_path / "labels.parquet")
    assert read_labels([tmp_path / "labels.parquet"], BINARY).outcomes == {"a": 1, "b": 0}


def test_true_and_false_are_understood(csv):
    """As pandas writes them into a CSV."""
    assert read_labels([csv("id,outcome\na,True\nb,False\n")], BINARY).outcomes == {"a": 1, "b": 0}


@pytest.mark.parametrize("outcome", ["", "NaN", "late", "inf", "2"])
def test_an_unusable_outcome_is_left_out_and_named(csv, outcome):
    """It is missing, not a number, or not an outcome of training."""
    labels = read_labels([csv(f"id,outcome\na,1\nb,{outcome}\n")], BINARY)
    assert labels.outcomes == {"a": 1}
    assert labels.unusable == 1 and labels.example.startswith("labels.csv, row 2: outcome")


def test_a_regression_takes_any_number(csv):
    """There is no list of outcomes."""
    assert read_labels([csv("id,outcome\na,-2.5\n")], None).outcomes == {"a": -2.5}


def test_a_label_given_twice_counts_once(csv):
    """In one file or two."""
    paths = [csv("id,outcome\na,1\na,1\n"), csv("id,outcome\na,1\n", "again.csv")]
    labels = read_labels(paths, BINARY)
    assert (labels.outcomes, labels.conflicting) == ({"a": 1}, 0)


def test_an_id_with_two_different_outcomes_is_dropped(csv):
    """Neither outcome is certain."""
    labels = read_labels([csv("id,outcome\na,1\nb,0\na,0\n")], BINARY)
    assert (labels.outcomes, labels.conflicting) == ({"b": 0}, 1)
    assert "a has two different outcomes" in labels.example


@pytest.mark.parametrize(
    "text, message",
    [
        ("id,late\na,1\n", "lacks the column(s) outcome; it has id, late"),
        ("", "cannot be read"),
        ('id,outcome\n"a,1\n', "cannot be read"),
        ("a\x00\xff,b,c\n1\n2,3,4,5\n", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_labels_is_refused(csv, text, message):
    """The message names the columns it has and needs."""
    with pytest.raises(UserError) as error:
        read_labels([csv(text)], BINARY)
    assert message in str(error.value)


def test_a_damaged_parquet_file_is_refused(tmp_path):
    """For example, a truncated one."""
    (tmp_path / "labels.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="labels.parquet cannot be read"):
        read_labels([tmp_path / "labels.parquet"], BINARY)


@pytest.mark.parametrize("name", ["none.csv", "labels.xlsx"])
def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path, name):
    """The message names it."""
    with pytest.raises(UserError, match=name):
        read_labels([tmp_path / name], BINARY)


def test_the_default_folder_is_searched(csv, tmp_path):
    """Only CSV and Parquet files are labels."""
    csv("", "notes.txt")
    assert find_labels(tmp_path) == []
    assert find_labels(tmp_path / "none") == []
    assert find_labels(csv("").parent) == [tmp_path / "labels.csv"]


def test_the_password_of_an_address_is_not_shown(tmp_path, monkeypatch):
    """It came from a variable, and the message goes to a log."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"ftp://\*\*\*@127.0.0.1:9/labels cannot be") as error:
        local("ftp://me:hunter2@127.0.0.1:9/labels")
    assert "hunter2" not in str(error.value)
