"""Tables as they come: other delimiters, types, folders and dates; and what must not be accused."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from machinery.tests.starting.test_infer import USE
from mlops.starting import infer, models, table, writing
from mlops.starting.fields import wider
from mlops.starting.rounding import nice

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
