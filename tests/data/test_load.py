"""Loading: the rows in time order, a fingerprint of the bytes, a clear error for a bad file."""

import hashlib
import subprocess
import sys

import pandas as pd
import pytest

import data
from data.load import file_of


def rewrite(path, change):
    """Write a partition again with its frame changed."""
    change(pd.read_parquet(path)).to_parquet(path, index=False)


def test_partitions_are_the_months_of_the_year():
    """The names are oldest first."""
    assert data.partitions() == [f"2013-{month:02}" for month in range(1, 13)]


def test_partitions_ignores_other_files(folder):
    """A half-written or foreign file, or a folder, is no partition."""
    for name in ("flights-2013-04.partial", "flights-2013-13.parquet", "notes.md"):
        (folder / name).touch()
    (folder / "flights-2013-05.parquet").mkdir()
    assert data.partitions() == ["2013-01", "2013-02", "2013-03"]


def test_the_files_stay_small():
    """They are committed, so all of them together stay below 5 MB."""
    assert sum(file_of(name).stat().st_size for name in data.partitions()) < 5_000_000


def test_rows_come_in_time_order(folder):
    """The order of the rows in a file does not matter."""
    rewrite(folder / "flights-2013-02.parquet", lambda rows: rows[::-1])
    dates = data.load("2013-02")[0]["date"]
    assert dates.is_monotonic_increasing
    assert (dates.iloc[0], dates.iloc[-1]) == (pd.Timestamp(2013, 2, 1), pd.Timestamp(2013, 2, 28))


def test_no_row_is_lost():
    """All months together have as many rows as the recipe left."""
    assert sum(len(data.load(name)[0]) for name in data.partitions()) == 327_346


def test_month_and_day_become_the_date(january):
    """The schema's columns are returned, in their order."""
    assert list(january) == list(data.SCHEMA.columns)


def test_fingerprint_is_that_of_sha256sum():
    """Anybody can compute the fingerprint without this code."""
    expected = hashlib.sha256(file_of("2013-01").read_bytes()).hexdigest()
    assert data.load("2013-01")[1] == f"sha256:{expected}"


def test_one_flipped_bit_changes_the_fingerprint(folder):
    """Even in the name of the writer, where the rows stay the same."""
    before = data.load("2013-01")
    path = folder / "flights-2013-01.parquet"
    content = bytearray(path.read_bytes())
    content[content.rindex(b"parquet-cpp")] ^= 1
    path.write_bytes(content)
    after = data.load("2013-01")
    assert before[0].equals(after[0])
    assert before[1] != after[1]


def test_each_month_has_its_own_fingerprint():
    """No two months share one."""
    assert len({data.load(name)[1] for name in data.partitions()}) == 12


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["2014-01", "../2013-01", ""])
def test_refuses_an_unknown_name(name):
    """It is refused with the names that there are."""
    with pytest.raises(ValueError, match="there is no partition .* 2013-01, 2013-02, 2013-03"):
        data.load(name)


@pytest.mark.parametrize("keep", [0, 100, 200_000])
def test_refuses_a_truncated_file(folder, keep):
    """A file cut short is named, with its length and the way to restore it."""
    path = folder / "flights-2013-02.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        ValueError, match=f"flights-2013-02.parquet: {keep:,} bytes .* git checkout"
    ):
        data.load("2013-02")


@pytest.mark.parametrize("column", ["month", "day"])
def test_refuses_a_file_without_dates(folder, column):
    """Without month and day there is no date."""
    rewrite(folder / "flights-2013-02.parquet", lambda rows: rows.drop(columns=column))
    with pytest.raises(ValueError, match=f"flights-2013-02.parquet: lacks {column}"):
        data.load("2013-02")


def test_refuses_rows_of_another_month(folder):
    """A file under a wrong name would leak the future into the past."""
    (folder / "flights-2013-03.parquet").rename(folder / "flights-2013-04.parquet")
    with pytest.raises(ValueError, match="27,902 of 27,902 rows are not of 2013-04.* month 3"):
        data.load("2013-04")


def test_refuses_a_day_that_does_not_exist(folder):
    """30 February is found, and is not taken for a day in March."""
    path = folder / "flights-2013-02.parquet"
    rewrite(path, lambda rows: rows.assign(day=rows["day"].mask(rows["day"] == 28, 30)))
    with pytest.raises(ValueError, match="rows are not of 2013-02.* month 2 and day 30"):
        data.load("2013-02")


def test_a_column_too_many_reaches_the_schema(folder):
    """Loading lets it through, so that the data check can say what is wrong with it."""
    rewrite(folder / "flights-2013-02.parquet", lambda rows: rows.assign(dep_delay=0.0))
    assert "dep_delay" in data.load("2013-02")[0]


def test_importing_data_imports_no_heavy_library():
    """Most commands need only the names, and pandas and pandera take a second to import."""
    code = "import sys, data; data.partitions(); print({'pandas', 'pandera'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
