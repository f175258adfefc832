"""Put the new files in place of the template's example: whole, or not at all.

They are collected below build/start/ first. `plan.json` is written last; from then on the moves are
decided, and a start that was cut short is finished by the next one.
"""

import hashlib
import json
import shutil
from pathlib import Path

from mlops.errors import UserError
from mlops.files import read_json, write, write_json
from mlops.paths import BUILD, ENVIRONMENTS
from mlops.releases.release import none_yet
from mlops.starting import example
from mlops.starting.writing import Files

HOME = BUILD / "start"
TREE, PLAN = HOME / "tree", HOME / "plan.json"
# The digests of what was put in place, until the verdict: a start that ends before may be repeated.
PLACED = HOME / "placed.json"
LOCK = BUILD / "start.lock"
SHOWN = 5
# What another start, or a team, left in these places would be read as part of the new fork.
STALE = (
    "data/*.py",
    "data/partitions/*.parquet",
    "model/*.py",
    "tests/data/*.py",
    "tests/model/*.py",
)


def require_example(new: list[str], force: bool) -> None:
    """Raise UserError if a file that would be replaced is not the template's example."""
    if force:
        return
    recorded, present, placed = example.recorded(), example.present(), _placed()
    replaceable = {
        name for name in present if present[name] in (recorded.get(name), placed.get(name))
    }
    own = [name for name in {*new, *recorded} if name in present and name not in replaceable]
    own += [path.as_posix() for path in _releases()]
    if own:
        own = sorted(set(own))
        more = f" and {len(own) - SHOWN} more" if len(own) > SHOWN else ""
        raise UserError(
            f"{', '.join(own[:SHOWN])}{more} {'differ' if own[1:] else 'differs'} from the "
            f"template's example ({'their' if own[1:] else 'its'} sha256 is not that in "
            "machinery/mlops/starting/example.sha256): your work. Nothing was changed. Commit it "
            "if you want it back later; FORCE=1 replaces it."
        )


def require_outside(source: Path) -> None:
    """Raise UserError if the table lies where files are replaced."""
    resolved = source.resolve()
    for folder in example.FOLDERS:
        if resolved.is_relative_to(Path(folder).resolve()):
            raise UserError(
                f"FROM names {source}, which lies in {folder}/, and that folder is replaced. Move "
                "or copy the table to another place first."
            )


def _releases() -> list[Path]:
    """Return the release files that hold a release: a model of something else."""
    paths = sorted(ENVIRONMENTS.glob("*/release.yaml"))
    return [path for path in paths if path.read_text(encoding="utf-8") != none_yet()]


def decide(new: Files, summary: dict, force: bool) -> None:
    """Write the new files below build/start/, then the plan, after which `finish` moves them."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name, content in new.items():
        path = TREE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path in _releases() if force else ():
        (TREE / path).parent.mkdir(parents=True, exist_ok=True)
        (TREE / path).write_text(none_yet(), encoding="utf-8")
    recorded, present = example.recorded(), example.present()
    placed = _placed()
    gone = {n for n, digest in present.items() if digest in (recorded.get(n), placed.get(n))}
    if force:
        gone |= {path.as_posix() for pattern in STALE for path in Path().glob(pattern)}
    write_json(PLAN, {"remove": sorted(gone - new.keys()), "summary": summary})


def _placed() -> dict[str, str]:
    return read_json(PLACED, made_by="start") if PLACED.exists() else {}


def judged() -> None:
    """Count the new files as the team's from now on."""
    PLACED.unlink(missing_ok=True)


def unfinished() -> bool:
    """Return whether a start was cut short while it moved files."""
    return PLAN.exists()


def finish() -> dict:
    """Remove and write what the plan lists, and return its summary; may be run again."""
    plan = read_json(PLAN, made_by="start")
    paths = sorted(path for path in TREE.rglob("*") if path.is_file())
    digests = {
        path.relative_to(TREE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }
    write_json(PLACED, digests)
    for name in plan["remove"]:
        Path(name).unlink(missing_ok=True)
    for path in paths:
        write(path.relative_to(TREE), path.read_bytes())
    for folder in example.FOLDERS:
        _without_empty(Path(folder))
    write(HOME / "summary.json", json.dumps(plan["summary"]))
    PLAN.unlink()
    shutil.rmtree(TREE)
    return plan["summary"]


def _without_empty(folder: Path) -> None:
    for cache in folder.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
