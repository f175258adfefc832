"""Tables as they come: other delimiters, types, folders and dates; and what must not be accused."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from machinery.tests.starting.test_infer import USE
from mlops.starting import infer, models, noise, table, writing
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
