"""Tables as they come: other delimiters, types, folders and dates; and what must not be accused."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from machinery.tests.starting.test_infer import USE
from mlops.errors import UserError
from mlops.starting import advice, infer, models, noise, table, writing
from mlops.starting.fields import wider
from mlops.starting.rounding import nice
from mlops.statistics.leakage import strengths

ROWS = 600


def plain():
    """Numbers of which each occurs once, a category, and an amount that follows one of them."""
    random = np.random.default_rng(1)
    x, z = random.normal(size=ROWS), random.normal(size=ROWS)
    categories = random.choice(list("abc"), ROWS)
    return pd.DataFrame({"x": x, "z": z, "c": categories, "y": x + random.normal(size=ROWS)})


def months(frame, path):
    """Write a folder with a file a month, whose names do not sort in time."""
    path.mkdir()
    for number, name in enumerate(["jan", "feb", "mar", "apr"]):
        frame.iloc[number * 150 : (number + 1) * 150].to_csv(path / f"{name}.csv", index=False)


def odd(frame):
    """Types that Parquet has and CSV has not."""
    whole, flags = pd.array(np.arange(ROWS) % 5, "Int64"), pd.array(np.arange(ROWS) % 2, "boolean")
    whole[3], flags[5] = pd.NA, pd.NA
    at = pd.date_range("2024-01-01", periods=ROWS, freq="7h", tz="Europe/Berlin")
    lists = [[1, 2]] * ROWS
    return frame.assign(whole=whole, flags=flags, at=at, lists=lists, kind=pd.Categorical(frame.c))


def semicolons(frame, path):
    """Write as spreadsheets of half of Europe do."""
    frame.to_csv(path, sep=";", decimal=",", index=False)


DAYS = pd.date_range("2020-01-01", periods=ROWS)
# Name of the file: how its frame differs, the request, and what must be seen.
KINDS = {
    "semicolons.csv": (plain(), {}, "made_up_day block of rows {}"),
    "tabs.tsv": (plain(), {}, "made_up_day block of rows {}"),
    "packed.csv.gz": (plain(), {}, "made_up_day block of rows {}"),
    "odd.parquet": (odd(plain()), {}, "at month {'kind': 'copy', 'lists': 'unreadable'}"),
    "unordered": (plain(), {}, "made_up_day file {}"),
    "ordered": (plain().assign(day=DAYS.strftime("%d.%m.%Y")), {}, "day file {}"),
    "numbers.csv": (
        plain().assign(day=DAYS.strftime("%Y%m%d").astype(int)),
        {"time": "day"},
        "day quarter {}",
    ),
    "calendar.csv": (
        plain().assign(year=DAYS.strftime("%Y").astype(int), month=DAYS.strftime("%m").astype(int)),
        {},
        "date quarter {}",
    ),
    "gaps.csv": (
        plain().assign(who=np.where(np.arange(ROWS) == 4, np.nan, np.arange(ROWS) % 50)),
        {"group": "who"},
        "made_up_day block of rows {}",
    ),
    "copies.csv": (
        plain().assign(w=lambda f: f.z, v=lambda f: 3 * f.y),
        {},
        "made_up_day block of rows {'w': 'copy', 'v': 'leak'}",
    ),
    "names.csv": (
        plain().rename(columns={"x": 'we"ird \\name', "c": "class"}),
        {},
        "made_up_day block of rows {}",
    ),
}
WRITERS = {
    "semicolons.csv": semicolons,
    "tabs.tsv": lambda frame, path: frame.to_csv(path, sep="\t", index=False),
    "odd.parquet": lambda frame, path: frame.to_parquet(path),
    "unordered": months,
    "ordered": months,
}


@pytest.mark.parametrize("name", KINDS)
def test_a_table_is_read_and_its_rows_keep_to_the_schema(tmp_path, name):
    """What is suspicious is named; a number of which each value occurs once is not."""
    frame, request, expected = KINDS[name]
    path = tmp_path / name
    WRITERS.get(name, lambda frame, path: frame.to_csv(path, index=False))(frame, path)
    one = infer.infer(table.read(str(path)), infer.Request(("y",), **request))
    left_out = {column.column: column.kind for column in one.screening.left_out}
    assert f"{one.roles.time} {one.partitioning.unit} {left_out}" == expected
    files = writing.partition_files(one) | writing.code(one, models.starter(one, None), name)
    for written, content in files.items():
        (tmp_path / "fork" / written).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fork" / written).write_bytes(content)
    use = [sys.executable, "-c", USE, str(tmp_path / "fork")]
    subprocess.run(use, cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        ([1, 2], "binary", (1, 2)),
        ([True, False], "binary", (False, True)),
        (["Yes", "No"], "binary", ("No", "Yes")),
        (["good", "good", "bad"], "binary", ("good", "bad")),
        ([-1, 0, 1], "classes", (-1, 0, 1)),
        (["low", "high", "middle"], "classes", ("high", "low", "middle")),
        ([0.5, 1.5, 2.5], "amount", ()),
        (list(range(40)), "amount", ()),
    ],
    ids=str,
)
def test_the_task_follows_from_the_values(tmp_path, values, kind, labels):
    """Of two texts without a yes among them the rarer one counts as 1."""
    target = [values[n % len(values)] for n in range(ROWS)]
    plain().assign(y=target).to_csv(tmp_path / "t.csv", index=False)
    one = infer.infer(table.read(str(tmp_path / "t.csv")), infer.Request(("y",)))
    assert (one.task.kind, one.task.labels) == (kind, labels)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, (0, 15)), (-3, 5, (-7, 9)), (0.2, 0.9, (0, 1)), (50, 59, (45, 64)), (7, 7, (3, 11))],
)
def test_a_range_has_slack_and_keeps_its_sign(low, high, expected):
    assert wider(low, high) == expected


@pytest.mark.parametrize(("value", "up", "down"), [(0.0173, 0.02, 0.015), (7, 8, 6), (0, 0, 0)])
def test_numbers_are_rounded_as_people_write_them(value, up, down):
    assert (nice(value), nice(value, up=False)) == (up, down)


def seen(frame, path, **request):
    """What is inferred from a frame that was written to a CSV file."""
    frame.to_csv(path, index=False)
    return infer.infer(table.read(str(path)), infer.Request(("y",), **request))


def left_out(inference):
    """The kind of suspicion by column."""
    return {one.column: one.kind for one in inference.screening.left_out}


def test_a_noisy_copy_of_the_target_is_left_out(tmp_path):
    """In few rows bins hide it; an honest column that explains nine tenths stays."""
    random = np.random.default_rng(2)
    y = random.normal(0, 3.3, ROWS)
    amounts = plain().assign(
        y=y, leak=y + 0.3 * random.normal(size=ROWS), honest=y + random.normal(size=ROWS)
    )
    assert left_out(seen(amounts, tmp_path / "amounts.csv")) == {"leak": "leak"}
    label = np.where(random.random(ROWS) < 0.4, "yes", "no")
    errors = {name: random.random(ROWS) < share for name, share in (("copy", 0.02), ("fair", 0.1))}
    wrong = {n: np.where(e, np.where(label == "yes", "a", "b"), label) for n, e in errors.items()}
    wrong = {n: pd.Series(v).replace({"a": "no", "b": "yes"}) for n, v in wrong.items()}
    labels = plain().assign(y=label, **wrong)
    assert left_out(seen(labels, tmp_path / "labels.csv")) == {"copy": "leak"}


def test_a_constant_flag_of_a_rare_label_is_no_leak(tmp_path):
    """It agrees with 98 % of the rows, as any column does."""
    random = np.random.default_rng(3)
    rare = (np.arange(ROWS) % 50 == 0).astype(int)
    frame = plain().assign(y=rare, flag=random.random(ROWS) < 0.01)
    assert left_out(seen(frame, tmp_path / "rare.csv")) == {}


def test_the_bound_on_leakage_allows_every_partition_in_any_order(tmp_path):
    """One estimate of a strong feature is noise; the next partition's must not be refused."""
    random = np.random.default_rng(4)
    frame = plain().assign(x=lambda f: f.x.round(1))
    frame["y"] = (frame.x + 0.4 * random.normal(size=ROWS) > 0).astype(int)
    one = seen(frame.assign(day=DAYS.strftime("%Y-%m-%d")), tmp_path / "strong.csv")
    split, features = one.partitioning, ("x",)
    held_out = one.frame[split.held_out]
    measured = strengths(held_out, features, held_out["y"].to_numpy(), None)
    (bound,) = re.findall(r"max_auc: (.*)", noise.leakage(measured, one)["leakage"])
    for part in split.used:
        rows = one.frame[split.of_row == part]
        for seed in range(20):
            again = rows.sample(frac=1, random_state=100 + seed)
            strength = strengths(again, features, again["y"].to_numpy(), None)["strength"]["x"]
            assert strength < float(bound) < 1


def test_names_that_repeat_and_numbers_too_large_are_stated(tmp_path):
    """pandas renames the second of two names, and 64 bits wrap around, without a word."""
    path = tmp_path / "odd.csv"
    rows = [f"{n},{n % 7},{2**63 + n},{2**70 + n},{n % 11}.5" for n in range(ROWS)]
    path.write_text("\n".join(["a,a,large,larger,y", *rows]), "utf-8")
    one = infer.infer(table.read(str(path)), infer.Request(("y",)))
    assert "2 columns are named a; the second counts as a.1" in one.changes
    reasons = {column.column: column.reason for column in one.screening.left_out}
    assert reasons["large"] == reasons["larger"] == "its whole numbers are too large for 64 bits"


def test_a_long_number_among_texts_is_a_text(tmp_path):
    """Only a column of numbers is too large."""
    frame = plain().assign(c=lambda f: f.c.where(f.c != "a", str(2**70)))
    assert "c" in seen(frame, tmp_path / "text.csv").screening.features


def test_one_value_is_named_without_its_type(tmp_path):
    with pytest.raises(UserError, match="which is 5 in every row"):
        seen(plain().assign(y=5), tmp_path / "five.csv")


def record(**metrics):
    """A record of an evaluation, from (low, value, high, constant) by metric."""
    table_ = {
        name: {
            "candidate": {"low": low, "value": value, "high": high},
            "constant": constant,
            "higher_is_better": name in ("auc", "r2"),
        }
        for name, (low, value, high, constant) in metrics.items()
    }
    return {"evaluation": {"metrics": table_}}


def test_the_better_of_two_usual_models_is_taken(tmp_path):
    """Unless one is named; the sentence states the errors of both."""
    one = seen(plain(), tmp_path / "plain.csv")
    both = models.candidates(one, None)
    assert [model.family for model in both] == ["linear", "trees"]
    assert [model.family for model in models.candidates(one, "trees")] == ["trees"]
    errors = (record(mae=(0.9, 1.0, 1.1, 2.0)), record(mae=(0.7, 0.8, 0.9, 2.0)))
    trials = [(model, {}, error, b"") for model, error in zip(both, errors)]
    chosen = models.better(trials)[0]
    assert chosen.family == "trees" and models.better(trials[:1])[0].family == "linear"
    sentence = models.comparison([(trial[0], trial[2]) for trial in trials], chosen)
    assert (
        "trees was chosen by mae on the held-out rows: 1.0000 for linear, 0.8000 for trees"
        in sentence
    )
    assert sentence in writing.pages(one, chosen, "plain.csv", sentence)["model/README.md"].decode()
    assert models.comparison([(both[0], errors[0])], both[0]) == ""


def test_hints_fit_what_was_seen(tmp_path):
    """Too sure is not the same as without skill; rows without a date take one place, not two."""
    labels = seen(plain().assign(y=(plain().y > 0).astype(int)), tmp_path / "labels.csv")
    sure = record(log_loss=(0.7, 0.8, 0.9, 0.69), auc=(0.8, 0.85, 0.9, 0.5))
    first, *others = advice.look_at(labels, sure, "trees")
    assert "too sure" in first and "Try MODEL=linear." in first
    assert "model.c" in advice.look_at(labels, sure, "linear")[0]
    assert sum("date" in one or "independent" in one for one in others) == 1
    assert any("TIME=; if several rows belong" in one and "GROUP=" in one for one in others)
    blind = record(log_loss=(0.7, 0.8, 0.9, 0.69), auc=(0.45, 0.5, 0.56, 0.5))
    assert "no better than a constant" in advice.look_at(labels, blind, "trees")[0]
    amounts = seen(plain().assign(day=DAYS.strftime("%Y-%m-%d")), tmp_path / "daily.csv")
    weak = record(rmse=(0.9, 1.0, 1.1, 1.2), r2=(0.1, 0.17, 0.2, 0.0))
    hints = advice.look_at(amounts, weak, "linear")
    assert hints[0].startswith("The model explains 17% of the variation of y.")
    assert any("Neighbouring days are alike" in one for one in hints)
    assert not any("customer" in one for one in hints)


def test_pages_name_the_port_and_have_no_double_blank_line(tmp_path):
    one = seen(plain().assign(same=1), tmp_path / "plain.csv")
    pages = writing.pages(one, models.starter(one, None), "plain.csv")
    assert all(b"\n\n\n" not in page.partition(b"## What your")[0] for page in pages.values())
    port = re.findall(
        r"(?m)^port: (\d+)", Path("environments/dev/settings.yaml").read_text("utf-8")
    )
    assert f"http://127.0.0.1:{port[0]}".encode() in pages["README.md"]
