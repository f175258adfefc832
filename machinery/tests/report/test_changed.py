"""The report says what differs from the champion, and how the data differ."""

import pytest

from mlops.report import markdown
from mlops.report.changes import changes, datasets
from mlops.report.tree import Report
from mlops.rules import Verdict


@pytest.fixture
def told(record, judge):
    """Return one section of the record's report as Markdown."""

    def tell(section=changes):
        return markdown.render(Report("x", Verdict.PASS, "", "", (section(judge(record)),)))

    return tell


@pytest.fixture
def champion(record):
    """What the evaluation says of the champion; made of the same, unless a test spoils it."""
    rival = record["evaluation"]["champion"]
    rival["origin"]["data"]["partitions"] = record["data"]["train"]["partitions"]
    return rival


def test_one_more_partition_and_nothing_else(told):
    """What a data change reads like: one line, no table."""
    text = told()
    assert "`example-1`: 1 partition added (`2020-03`), nothing else." in text
    assert "|" not in text


def test_nothing_changed(told, champion, record):
    """One line says so, and that the model is the very same."""
    champion["model_digest"] = record["model"]["digest"]
    text = told()
    assert "nothing that shapes the model differs. The model is the same, byte for byte." in text
    assert "**" not in text


@pytest.mark.usefixtures("champion")
def test_another_model_from_the_same_is_worth_a_bold_line(told):
    """Training twice gives the same model; where it does not, a reviewer is told."""
    assert "**Not reproduced:** the same gave another model, `sha256:4444" in told()


def test_parameters_code_and_versions(told, champion, record):
    """Each in a row with both sides."""
    record["params"]["values"]["model"] = {"depth": 8}
    champion["origin"]["params"]["model"] = {"depth": 6, "seed": 1}
    champion["origin"]["versions"]["numpy"] = "1.0"
    champion["code"] = [{"file": "model/train.py", "added": 3, "removed": 1}]
    text = told()
    assert "2 parameters, 1 file of code, 1 version, nothing else." in text
    assert "| parameter | `model.depth` | `6` | `8` |" in text
    assert "| parameter | `model.seed` | `1` | unset |" in text
    assert "| code | `model/train.py` |  | +3 -1 lines |" in text
    assert "| version | `numpy` | `1.0` | `2.0` |" in text


def test_a_rewritten_partition_is_worth_a_bold_line(told, champion):
    """The name is the same, the rows are not."""
    champion["origin"]["fingerprints"]["2020-02"] = "sha256:other"
    assert "1 partition rewritten (`2020-02`)" in told()
    assert "**History was rewritten:** `2020-02` has other rows now" in told()


def test_code_not_committed_is_named(told, record):
    """The working copy counts."""
    record["source"]["changed"] = ["model/train.py", "machinery/docs/x.md"]
    assert "| code | `model/train.py` |  | not committed |" in told()
    assert "machinery/docs/x.md" not in told()


def test_a_commit_that_is_not_in_this_clone(told, champion):
    """Nothing is claimed about the code."""
    champion["code"] = None
    text = told()
    assert "nothing differs in data, parameters and versions." in text
    assert "The champion's commit, `c0ffee0`, is not in this clone" in text
    assert "`git fetch --unshallow`." in text
    assert "Not reproduced" not in text


def test_a_bundle_that_cannot_be_read(told, champion):
    """What is known comes from the release; a record of an older version knows no more."""
    for origin in ({"origin": None}, {}):
        champion.pop("origin", None)
        champion.update(origin)
        assert "it was trained on `2020-01` and `2020-02`." in told().replace(", `", " and `")


def test_data_in_rows_and_time(told):
    """The champion's, the candidate's, the held-out."""
    text = told(datasets)
    assert "| champion trained on | `2020-01`, `2020-02` | 200 | 2020-01-01 | 2020-02-28 |" in text
    assert "| held out | `2020-04` | 100 | 2020-04-01 | 2020-04-28 |" in text


def test_the_columns_that_moved(told):
    """Index and what is usual, and the bin that changed most; the title holds the answer."""
    text = told(datasets)
    assert "| `hour` | 0.300 | 0.200 | above 5 | 12.5% | 25.0% |" in text
    assert "Data: 1 column moved more than usual, most of all hour" in text


def test_columns_that_moved_as_always(told, record):
    """The title says that there is nothing to see."""
    record["evaluation"]["drift"] = record["evaluation"]["drift"][1:]
    assert "Data: no column moved more than usual" in told(datasets)


def test_only_the_five_most_moved_are_shown(told, record):
    """A wide table has thousands of columns."""
    record["evaluation"]["drift"] *= 1000
    assert told(datasets).count("above 5") == 5


def test_without_champion_and_drift(first, judge):
    """A first candidate, evaluated by a version that did not measure drift."""
    del first["evaluation"]["drift"]
    assert changes(judge(first)) is None
    assert datasets(judge(first)).title == "Data"
