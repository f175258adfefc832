"""Write the fixtures of a version that is to be released, from the repository's root:

PYTHONPATH=machinery:. .venv/bin/python machinery/tests/upgrading/formats.py 1.1.0

What steps write comes from a little fork that goes its way; what people write is that of the
version before with its keys renamed, to which a person adds what is new.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from machinery.tests import forks
from mlops.upgrading.migrations import migrate

FIXTURES = Path("machinery/tests/fixtures").absolute()
STEPS = ("check-data", "train", "evaluate", "report", "gate", "package")
# In a version's folder, and where it lies in a repository.
WRITTEN_BY_PEOPLE = {
    "params.yaml": "params.yaml",
    "policy.yaml": "environments/production/policy.yaml",
    "settings.yaml": "environments/production/settings.yaml",
    "waivers.yaml": "environments/waivers.yaml",
}
RELEASES = ("first", "second", "rollback")


def place(version: str, root: Path) -> None:
    """Put what people wrote with a version into a repository, keys renamed as by an upgrade."""
    for name, path in WRITTEN_BY_PEOPLE.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FIXTURES / version / name, root / path)
    before = Path.cwd()
    try:
        os.chdir(root)
        list(migrate(version))
    finally:
        os.chdir(before)


def write(version: str) -> None:
    """Write the fixtures of a version."""
    folder = FIXTURES / version
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mlops-formats-") as scratch:
        fork = forks.Fork(Path(scratch))
        forks.copy(forks.MACHINERY, fork.folder)
        shutil.copytree("machinery/tests/fork", fork.folder, dirs_exist_ok=True)
        fork.begin()
        try:
            _live(fork, folder)
        finally:
            fork.mlops("down")
        older = sorted(path.name for path in FIXTURES.iterdir() if path != folder)
        if older:
            place(older[-1], fork.folder)
        for name, path in WRITTEN_BY_PEOPLE.items():
            shutil.copy(fork.folder / path, folder / name)


def _live(fork: forks.Fork, folder: Path) -> None:
    """Ship, ship another model, go back; keep what each of it leaves."""
    file = fork.folder / "environments/dev/release.yaml"
    shutil.copy(file, folder / "release-none.yaml")
    fork.mlops(*STEPS, "promote", "deploy", "loadtest", "--env", "dev", check=False)
    shutil.copy(file, folder / f"release-{RELEASES[0]}.yaml")
    for name in ("record", "verdict", "data-check"):
        shutil.copy(fork.folder / f"build/{name}.json", folder / f"{name}.json")
    (evidence,) = fork.folder.glob("build/evidence/*/load-test.json")
    shutil.copy(evidence, folder / "load-test.json")
    fork.edit("params.yaml", "ridge: 0.5", "ridge: 0.6")
    fork.mlops(*STEPS, "promote", "deploy", "--env", "dev")
    shutil.copy(file, folder / f"release-{RELEASES[1]}.yaml")
    fork.mlops("rollback", "--env", "dev", "--reason", "it was too slow")
    shutil.copy(file, folder / f"release-{RELEASES[2]}.yaml")
    shutil.copy(fork.folder / "environments/quarantine.yaml", folder / "quarantine.yaml")


if __name__ == "__main__":
    write(sys.argv[1])
    subprocess.run(["git", "status", "--short", str(FIXTURES)], check=True)
