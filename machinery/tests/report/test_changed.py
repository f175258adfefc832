"""The report lists the differences from the champion and the drift of the data."""

import pytest

from mlops.report import markdown
from mlops.report.changes import changes, datasets
from mlops.report.tree import Report
from mlops.rules import Verdict


@pytest.fixture
def section_text(record, judge):
    """Return one section of the record's report as Markdown."""

    def render(section=changes):
        return markdown.render(Report("x", Verdict.PASS, "", "", (section(judge(record)),)))

    return render


@pytest.fixture
def champion(record):
    """The champion in the evaluation, from the same inputs unless a test changes it."""
    champion = record["evaluation"]["champion"]
    champion["origin"]["data"]["partitions"] = record["data"]["train"]["partitions"]
    return champion


def test_one_more_partition_and_nothing_else(section_text):
    """A change of data is one line without a table."""
    text = section_text()
    assert "`example-1`: 1 partition added (`2020-03`), nothing else." in text
    assert "|" not in text


def test_nothing_changed(section_text, champion, record):
    """One line states that, and that the model is the same."""
    champion["model_digest"] = record["model"]["digest"]
    text = section_text()
    assert (
        "nothing that determines the model differs. The model is the same, byte for byte." in text
    )
    assert "**" not in text


@pytest.mark.usefixtures("champion")
def test_another_model_from_the_same_inputs_gets_a_bold_line(section_text):
    """If the same inputs give another model, the reviewer is warned."""
    assert "**Not reproduced:** the same inputs gave another model, `sha256:4444" in section_text()


def test_parameters_code_and_versions(section_text, champion, record):
    """Each in a row with both sides."""
    record["params"]["values"]["model"] = {"depth": 8}
    champion["origin"]["params"]["model"] = {"depth": 6, "seed": 1}
    champion["origin"]["versions"]["numpy"] = "1.0"
    champion["code"] = [{"file": "model/train.py", "added": 3, "removed": 1}]
    text = section_text()
    assert "2 parameters, 1 code file, 1 version, nothing else." in text
    assert "| parameter | `model.depth` | `6` | `8` |" in text
    assert "| parameter | `model.seed` | `1` | unset |" in text
    assert "| code | `model/train.py` |  | +3 -1 lines |" in text
    assert "| version | `numpy` | `1.0` | `2.0` |" in text


def test_a_rewritten_partition_gets_a_bold_line(section_text, champion):
    """The name is the same, the rows are not."""
    champion["origin"]["fingerprints"]["2020-02"] = "sha256:other"
    assert "1 partition rewritten (`2020-02`)" in section_text()
    assert "**History was rewritten:** `2020-02` has other rows now" in section_text()


def test_code_not_committed_is_named(section_text, record):
    """Uncommitted changes in the working copy count."""
    record["source"]["changed"] = ["model/train.py", "machinery/docs/x.md"]
    assert "| code | `model/train.py` |  | not committed |" in section_text()
    assert "machinery/docs/x.md" not in section_text()


def test_a_commit_that_is_not_in_this_clone(section_text, champion):
    """The report claims nothing about the code."""
    champion["code"] = None
    text = section_text()
    assert "nothing differs in data, parameters and versions." in text
    assert "The champion's commit, `c0ffee0`, is not in this clone" in text
    assert "`git fetch --unshallow`." in text
    assert "Not reproduced" not in text


def test_a_bundle_that_cannot_be_read(section_text, champion):
    """Only the release is known; a record of an older version has no origin either."""
    for origin in ({"origin": None}, {}):
        champion.pop("origin", None)
        champion.update(origin)
        assert (
            "only its training partitions are known: `2020-01` and `2020-02`."
            in section_text().replace(", `", " and `")
        )


def test_data_in_rows_and_time(section_text):
    """The champion's, the candidate's, the held-out."""
    text = section_text(datasets)
    assert "| champion trained on | `2020-01`, `2020-02` | 200 | 2020-01-01 | 2020-02-28 |" in text
    assert "| held out | `2020-04` | 100 | 2020-04-01 | 2020-04-28 |" in text


def test_the_columns_that_moved(section_text):
    """Index, usual index and the bin that changed most; the title has the conclusion."""
    text = section_text(datasets)
    assert "| `hour` | 0.300 | 0.200 | above 5 | 12.5% | 25.0% |" in text
    assert "Data: 1 column moved more than usual, most of all hour" in text


def test_columns_that_moved_as_usual(section_text, record):
    """The title states that no column moved."""
    record["evaluation"]["drift"] = record["evaluation"]["drift"][1:]
    assert "Data: no column moved more than usual" in section_text(datasets)


def test_only_the_five_most_moved_are_shown(section_text, record):
    """A wide table has thousands of columns."""
    record["evaluation"]["drift"] *= 1000
    assert section_text(datasets).count("above 5") == 5


def test_without_champion_and_drift(first, judge):
    """A first candidate, evaluated by a version that did not measure drift."""
    del first["evaluation"]["drift"]
    assert changes(judge(first)) is None
    assert datasets(judge(first)).title == "Data"
