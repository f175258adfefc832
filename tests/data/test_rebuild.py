"""Rebuilding: the committed months are what their source gives, and a strange source is refused."""

import subprocess
import sys

import pandas as pd
import pytest

from data import rebuild
from data.load import file_of


@pytest.mark.slow
def test_the_committed_months_are_what_the_source_gives(capsys, tmp_path):
    """Downloads the source from PyPI and compares the content of all twelve months."""
    try:
        files = rebuild.from_archive(rebuild.download(tmp_path))
    except ValueError as error:
        if "connection broken" not in str(error):
            raise
        pytest.skip(f"PyPI cannot be reached: {error}")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    changed = rebuild.run(tmp_path, check=True)
    assert changed == 0, capsys.readouterr().out


def test_one_changed_value_is_found():
    """A single label turned around makes a month differ."""
    frame = pd.read_parquet(file_of("2013-01"))
    assert rebuild.state_of("2013-01", frame) == "same"
    frame.loc[7, "late"] = 1 - frame.loc[7, "late"]
    assert rebuild.state_of("2013-01", frame) == "differs"


@pytest.mark.usefixtures("folder")
def test_a_damaged_file_differs():
    """A file that cannot be read is not the same, and no error."""
    frame = pd.read_parquet(file_of("2013-01"))
    file_of("2013-01").write_bytes(b"PAR1")
    assert rebuild.state_of("2013-01", frame) == "differs"


@pytest.mark.usefixtures("folder")
def test_a_month_that_is_not_there_is_missing():
    """A month never written is told from one that differs."""
    assert rebuild.state_of("2013-12", pd.DataFrame()) == "missing"


def test_a_written_month_is_the_same(folder):
    """What is written is read back equal, types included."""
    frame = pd.read_parquet(file_of("2013-01"))
    rebuild.write(file_of("2013-12"), frame)
    assert rebuild.state_of("2013-12", frame) == "same"
    assert [path.name for path in folder.glob("*.partial")] == []


def test_the_load_counts_flights_that_were_cancelled():
    """Dropping them first would tell the model how many were cancelled."""
    flights = pd.DataFrame(
        {
            "origin": ["EWR"] * 3,
            "time_hour": [1] * 3,
            "flight": [1, 2, 3],
            "arr_delay": [0, 16, None],
        }
    )
    rows = rebuild.with_label(rebuild.with_load(flights))
    assert rows["origin_hour_load"].tolist() == [3, 3]
    assert rows["late"].tolist() == [False, True]


def test_the_weather_is_that_of_an_hour_before():
    """The weather of the hour itself is not known when the question is asked."""
    hours = pd.to_datetime(["2013-01-01T10:00Z", "2013-01-01T11:00Z"])
    weather = pd.DataFrame({"origin": "EWR", "time_hour": hours, "temp": [30.0, 31.0]})
    weather = weather.assign(year=2013, month=1, day=1, hour=[5, 6])
    flights = pd.DataFrame({"origin": ["EWR"], "time_hour": hours[1:]})
    assert rebuild.with_weather(flights, weather)["temp"].tolist() == [30.0]


def test_a_source_that_lacks_a_file_is_refused(tmp_path):
    """The command says which file, and exits with 1."""
    command = [sys.executable, "-m", "data.rebuild", "--check", "--source", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The source has no flights.csv.zip")


def test_a_source_with_another_file_is_refused():
    """Another version of the source would make other months."""
    with pytest.raises(ValueError, match="flights.csv.zip has sha256 .* not b6b5560e"):
        rebuild.verify({name: b"another" for name in rebuild.FILES_SHA256})
