"""`make replay`: run the year in a temporary clone below build/replay and copy the results.

The checkout, its history and its build/ do not change; --publish also updates the picture in
machinery/docs/images/replay.svg.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mlops import cli, git
from mlops.files import write

HOME = Path("build/replay")
CLONE = HOME / "repository"
RESULTS = ("replay.md", "replay.svg", "replay.json", "steps.log")
PICTURE = Path("machinery/docs/images/replay.svg")


def main() -> int:
    """Run the replay and return an exit code of mlops.cli."""
    parser = argparse.ArgumentParser(prog="make replay", description=__doc__)
    parser.add_argument("--publish", action="store_true", help=f"write {PICTURE} too")
    options = parser.parse_args()
    return cli.exit_code_of(lambda: _replay(options.publish), "`make replay` starts again")


def _replay(publish: bool) -> int:
    code = _in_a_clone()
    for name in RESULTS:
        if (CLONE / "build" / name).exists():
            write(HOME / name, (CLONE / "build" / name).read_bytes())
    if code == cli.PASS and publish:
        write(PICTURE, (HOME / "replay.svg").read_bytes())
    return code


def _in_a_clone() -> int:
    """Clone HEAD and run the year there, with the clone's own code and another git identity."""
    commit = git.head()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    subprocess.run(["git", "clone", "--quiet", ".", str(CLONE)], check=True)
    subprocess.run(["git", "checkout", "--quiet", "-B", "main", commit], cwd=CLONE, check=True)
    changed = git.changed()
    if changed:
        print(f"{len(changed)} uncommitted file(s) here are not part of the replay.", flush=True)
    people = {f"GIT_{who}_NAME": "replay" for who in ("AUTHOR", "COMMITTER")}
    people |= {f"GIT_{who}_EMAIL": "replay@localhost" for who in ("AUTHOR", "COMMITTER")}
    command = [sys.executable, "-m", "benchmarks.replay.year"]
    return subprocess.run(command, cwd=CLONE, env=os.environ | people, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
