"""What is inferred from eight tables, and the files that are written from it."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import black
import pandas as pd
import pytest

from machinery.tests.starting.conftest import TABLES
from mlops.errors import UserError
from mlops.starting import boosted, infer, models, project, table, task, writing

# Name: the kind of task, the time, the unit of a partition, and the columns that are left out.
SEEN = {
    "diabetes": ("amount", infer.MADE_UP, "block of rows", {}),
    "breast_cancer": ("binary", infer.MADE_UP, "block of rows", {}),
    "iris": ("classes", infer.MADE_UP, "block of rows", {}),
    "wine": ("classes", infer.MADE_UP, "block of rows", {}),
    "digits": (
        "classes",
        infer.MADE_UP,
        "block of rows",
        dict.fromkeys(("pixel_0_0", "pixel_4_0", "pixel_4_7"), "constant"),
    ),
    "parcels": ("amounts", "ordered", "month", {}),
    "shop": (
        "amount",
        "ordered",
        "month",
        {
            "order_id": "id",
            "currency": "constant",
            "arrived": "known afterwards",
            "minutes": "leak",
        },
    ),
    "load": ("amounts", "at", "week", {}),
    "churn": (
        "binary",
        infer.MADE_UP,
        "block of rows",
        {"Unnamed: 0": "id", "plan_code": "copy", "remark": "free text"},
    ),
}
# Every partition keeps to the schema and is later than the one before.
USE = """
import sys
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    import data, model
    parts = [data.load(name)[0] for name in data.partitions()]
    for part in parts:
        data.SCHEMA.validate(part, lazy=True)
    spans = [part[data.TIME].agg(["min", "max"]) for part in parts]
    assert all(past["max"] < later["min"] for past, later in zip(spans, spans[1:]))
    assert model.Params() and model.METRICS
    for name in [name for name in sys.modules if name.partition(".")[0] in ("data", "model")]:
        del sys.modules[name]
    sys.path.remove(folder)
"""


@pytest.fixture(scope="module")
def inferred(csv):
    """What is inferred from each of the tables."""

    def one(name):
        targets = tuple(TABLES[name][1].split(","))
        return infer.infer(table.read(str(csv(name))), infer.Request(targets))

    return {name: one(name) for name in TABLES}


@pytest.mark.parametrize("name", TABLES)
def test_task_order_and_suspicious_columns_are_seen(inferred, name):
    one = inferred[name]
    left_out = {column.column: column.kind for column in one.screening.left_out}
    assert (one.task.kind, one.roles.time, one.partitioning.unit, left_out) == SEEN[name]


@pytest.mark.parametrize("name", TABLES)
def test_enough_rows_are_held_out_to_judge_by(inferred, name):
    """A fifth of them, or a thousand, and each class among them."""
    one = inferred[name]
    held_out = one.frame[one.partitioning.held_out]
    assert len(held_out) >= min(1000, 0.19 * len(one.frame))
    if one.task.labels:
        assert held_out[one.task.targets[0]].nunique() == len(one.task.labels)


def test_what_is_written_can_be_used(inferred, tmp_path):
    """Formatted as the repository's own; the rows keep to the schema that was written for them."""
    for name, one in inferred.items():
        model = models.starter(one, None)
        files = writing.partition_files(one) | writing.code(one, model, f"{name}.csv")
        for path, content in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(content)
            if path.endswith(".py"):
                code = content.decode()
                assert black.format_str(code, mode=black.Mode(line_length=100)) == code
                assert max(map(len, code.splitlines())) <= 100
    folders = [str(tmp_path / name) for name in inferred]
    subprocess.run([sys.executable, "-c", USE, *folders], cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", TABLES)
def test_a_model_is_read_in_a_minute(inferred, name):
    """At most 70 lines in all, the lists of columns apart."""
    model = models.starter(inferred[name], None)
    code = "".join(model.files.values())
    names = len(inferred[name].features)
    assert len(code.splitlines()) <= 70 + names


# Family: table, target, kind of task, and what the code must have.
FAMILIES = {
    "text": ("churn", "churned", None, "TfidfVectorizer"),
    "quantiles": ("shop", "hours", "quantiles", "QUANTILES = (0.1, 0.5, 0.9)"),
    "xgboost": ("churn", "churned", None, "XGBClassifier"),
    "lightgbm": ("parcels", "weight,hours", None, "MultiOutputRegressor(trees)"),
    "trees": ("parcels", "weight,hours", None, "MultiOutputRegressor(trees)"),
    "linear": ("churn", "churned", None, "LogisticRegression(C=params.c"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_starter_is_written_whole(csv, family):
    """Its names are those of the contract, and nothing of the template is left in it."""
    name, target, task, part = FAMILIES[family]
    request = infer.Request(tuple(target.split(",")), task=task, text=family == "text")
    one = infer.infer(table.read(str(csv(name))), request)
    model = models.starter(one, family)
    code = model.files["model/pipeline.py"]
    assert part in code and "{{" not in code and "  # " in model.params
    assert black.format_str(code, mode=black.Mode(line_length=100)) == code
    defined = {node.name for node in ast.parse(code).body if hasattr(node, "name")}
    assert {"Params", "train", "predict", "save", "load"} <= defined
    if family == "text":
        schema = writing.code(one, model, "churn.csv")["data/schema.py"].decode()
        assert 'TEXT = ("remark",)' in schema and "TEXTS = [" in code


@pytest.mark.fast
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("h[0-9]*",), ("h1", "h2", "h10")),
        (("h*",), ("h1", "h2", "hour", "h10")),
        (("h2", "h?", "hour"), ("h2", "h1", "hour")),
        (("what?",), ("what?",)),
        (("z*",), ("z*",)),
    ],
    ids=str,
)
def test_a_pattern_names_the_targets_that_match_it(names, expected):
    """In the table's order; a column of that very name is no pattern."""
    columns = pd.DataFrame(columns=["h1", "h2", "hour", "h10", "what?", "what!"])
    assert task.matching(names, columns) == expected


def test_a_model_of_texts_needs_a_text(csv):
    one = infer.infer(table.read(str(csv("shop"))), infer.Request(("hours",), text=True))
    with pytest.raises(UserError, match="no column holds any"):
        models.starter(one, "text")


@pytest.mark.fast
def test_pyproject_asks_for_what_the_model_imports():
    """The example's library goes, every other line stays; done twice it is done once."""
    text = Path("pyproject.toml").read_text("utf-8")
    edited = project.edited(text, "houses-price", ("pandas", "scikit-learn", "skops"))
    before, after = tomllib.loads(text), tomllib.loads(edited)
    assert after["project"]["name"] == "houses-price"
    serve = set(after["dependency-groups"]["serve"])
    assert serve == {"mlops-machinery", "pandas", "scikit-learn", "skops"}
    asked = " ".join(after["project"]["dependencies"])
    assert "xgboost" not in asked and "scikit-learn==" in asked and "pandera[pandas]" in asked
    assert after["tool"] == before["tool"]
    assert project.edited(edited, "houses-price", ("pandas", "scikit-learn", "skops")) == edited


@pytest.mark.fast
@pytest.mark.parametrize("library", boosted.LIBRARIES)
def test_the_image_has_the_libraries_that_a_starter_links_to(library):
    """LightGBM's wheel lacks libgomp, and so does the base image; all others bring their own."""
    text, serve = Path("Dockerfile").read_text("utf-8"), boosted.LIBRARIES[library].serve
    edited = project.dockerfile(text, serve)
    command = "\nRUN apt-get update && apt-get install --yes --no-install-recommends libgomp1\n"
    assert (command in edited) == (library == "lightgbm") and edited.startswith(text.rstrip())
    assert project.dockerfile(edited, serve) == edited


def test_the_same_table_gives_the_same_files(csv):
    """Bytes too: a fingerprint that changed by itself would look like other rows."""
    twice = []
    for _ in range(2):
        one = infer.infer(table.read(str(csv("churn"))), infer.Request(("churned",)))
        twice.append(writing.partition_files(one))
    assert twice[0] == twice[1]


def test_rows_of_one_group_stay_in_one_block(csv):
    """A customer in both parts would be known by heart."""
    request = infer.Request(("hours",), time="none", group="customer")
    one = infer.infer(table.read(str(csv("shop"))), request)
    blocks = one.frame["customer"].groupby(one.partitioning.of_row).unique()
    assert one.partitioning.made_up and len(blocks) == 8
    assert sum(map(len, blocks)) == one.frame["customer"].nunique()


def test_the_value_that_counts_as_one_is_written_down(inferred):
    """And any other value is refused by the schema, not taken for a no."""
    code = writing.code(inferred["churn"], models.starter(inferred["churn"], None), "churn.csv")
    assert b"# 1 is 'yes'" in code["data/load.py"]
    assert b'rows[TARGET].map({"no": 0, "yes": 1})' in code["data/load.py"]
