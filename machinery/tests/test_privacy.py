"""A text that few rows have leaves in no record, report, message or description of the service."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from machinery.tests.test_slices import scored
from mlops import gate
from mlops.config.params import EvaluateParams, GateParams
from mlops.gate import parity
from mlops.monitor.page import write_page
from mlops.paths import BUILD, PARITY_ROW, RECORD
from mlops.statistics import slices

# The names of passengers, made by a formula: none stands in a file of the fork.
NAMES = """    letters = np.random.default_rng(7 + number).choice(list("abcdefghijkl"), (600, 8))
    rows.insert(4, "name", ["Ann " + "".join(word) for word in letters])
    return rows, f"""
COLUMN = '        "name": pa.Column(str, pa.Check.str_matches("^Ann "), description="who rode"),\n'
NAME = re.compile("Ann [a-l]{8}")


@pytest.fixture(scope="module")
def named(fork):
    """The fork with a column of names, each of one passenger."""
    fork.edit("data/__init__.py", "    return rows, f", NAMES)
    fork.edit("data/__init__.py", '        "fare": pa.', COLUMN + '        "fare": pa.')
    return fork


def leaks(fork, done):
    """The files below build/, and what was printed, that hold a passenger's name."""
    files = [path for path in (fork.folder / BUILD).rglob("*") if path.is_file()]
    holding = {path.name for path in files if NAME.search(path.read_bytes().decode("latin-1"))}
    return holding | ({"printed"} if NAME.search(done.stdout + done.stderr) else set())


def test_no_name_leaves_with_a_release(named):
    """The record, the report, the verdict and the bundle with the service's schema are clean."""
    done = named.mlops(*"check-data train evaluate report gate package".split())
    assert leaks(named, done) == set()
    reference = json.loads((named.folder / RECORD).read_text())["data"]["reference"]
    assert reference["name"]["values"] == []
    assert set(reference["zone"]["values"]) == {"inner", "outer"}
    schema = next((named.folder / BUILD).rglob("schema.json"))
    (example,) = json.loads(schema.read_text())["examples"]
    assert example["name"] == "Ann xxxxxxxx"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("^Ann ", "^Bob ", "600 value(s) such as text of 12 characters (each in fewer than 10"),
        (
            "in letters]",
            "in letters.repeat(5, axis=0)[:600]]",
            "100.0% of the rows hold categories",
        ),
    ],
    ids=["D101", "D104"],
)
def test_no_name_is_printed_with_a_refusal(named, old, new, words):
    """The check that fails quotes none, and counts them."""
    named.edit("data/__init__.py", old, new)
    done = named.mlops("check-data", check=False)
    named.git("revert", "--no-edit", "HEAD")
    assert done.returncode == 1
    assert words in done.stderr and leaks(named, done) == set()


def test_a_team_may_publish_every_text(named):
    """With one row as the least, the names are in the record; what is tested above can fail."""
    named.edit("params.yaml", "data: {}", "data: {}\nprivacy: {min_rows: 1}")
    done = named.mlops("check-data", "train")
    named.git("revert", "--no-edit", "HEAD")
    assert leaks(named, done) == {"record.json"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"Ann": 9, "Robert": 1}, "text of 3 to 6 characters (each in fewer than 10 rows"),
        ({"Ann": 9, "inner": 10, "outer": 40}, "'outer', 'inner'"),
        ({7.5: 1, None: 1}, "7.5, None"),
        ({("Ann", 1): 1}, "text of 10 characters"),
    ],
    ids=["rare", "some frequent", "no text", "unknown kind"],
)
def test_a_message_quotes_only_what_many_rows_have(rows, message):
    """Numbers, days and missing values are no text; anything unknown may be one."""
    assert gate.examples(rows, 10).startswith(message)


def test_a_slice_of_few_rows_has_no_name():
    """Of the zones that are too small to compare, one of 100 rows is named, one of 9 is not."""
    few = scored(sizes=(2000, 2000, 100, 9))
    settings, gate_params = EvaluateParams(replicates=200), GateParams(slices={"min_rows": 200})
    for min_rows, names in ((10, ["c"]), (9, ["c", "d"])):
        measured = slices.measure(few, ("zone",), [], settings, gate_params, min_rows=min_rows)
        small = measured["columns"]["zone"]["small"]
        assert (small["values"], small["largest"]) == (2, names)


def test_the_row_that_scores_otherwise_stays_on_this_machine(tmp_path, monkeypatch):
    """The message names the file that holds it."""
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"km": [1.0, 2.0], "name": ["Ann abcdefgh", "Ann efghijkl"]})
    way = parity.Way("over HTTP", "Mend it.")
    message = parity.difference(frame, [[1.0], [3.0]], np.array([1.0, 2.0]), way)
    assert "for row 2 of them, which build/parity-row.json holds. Mend it." in message
    assert not NAME.search(message)
    assert json.loads(PARITY_ROW.read_text()) == {"km": 2.0, "name": "Ann efghijkl"}


@pytest.mark.parametrize(
    "answer",
    [
        '400 {"detail":[{"field":"rows.0.name","found":"Ann abcdefgh","allowed":"text"}]}',
        '400 {"detail":[{"field":"rows.0.name","found":"Ann abcdefgh',
        '400 {"detail":[{"field":"rows.0.name","found": "\\"b\\" Ann abcdefgh","allowed":"text"}]}',
    ],
    ids=["whole", "cut off", "with quotes"],
)
def test_an_answer_of_the_service_is_repeated_without_the_value(answer):
    """B101 shows why a row was refused, by its field."""
    shown = parity.VALUE.sub(r"\1...", answer)
    assert "rows.0.name" in shown and not NAME.search(shown)
    assert shown.endswith(',"allowed":"text"}]}') == answer.endswith("}")


@pytest.mark.slow
def test_the_page_of_the_monitor_names_no_rare_text(tmp_path):
    """Names are counted as other values, towns have their bars."""
    random = np.random.default_rng(0)
    letters = random.choice(list("abcdefgh"), (100, 8))
    rows = pd.DataFrame({"km": range(100), "town": ["Bonn", "Rome"] * 50})
    rows["name"] = ["Ann " + "".join(word) for word in letters]
    for min_rows, named_texts in ((10, False), (1, True)):
        write_page(tmp_path / "page.html", rows, rows, min_rows)
        text = (tmp_path / "page.html").read_text("utf-8")
        assert "Bonn" in text and bool(NAME.search(text)) == named_texts
