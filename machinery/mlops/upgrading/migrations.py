"""The keys of a team's files that were renamed, by version.

`python -m mlops.upgrading.migrations 1.0.0` applies the renames after 1.0.0 to the files of the
working directory and prints them. An upgrade runs this module of the NEW machinery, which knows the
newest names.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops import files
from mlops.cli import exit_code_of
from mlops.errors import UserError
from mlops.upgrading.renames import rename
from mlops.upgrading.template import number


@dataclass(frozen=True)
class Migration:
    """A key renamed in a version, in the files of a pattern, from one dotted name to another.

    A name that leads through a list applies to each item: `evidence.age` is the key `age` of every
    item in `evidence`.
    """

    version: str
    files: str
    old: str
    new: str


PARAMS, SETTINGS, POLICY = (
    "params.yaml",
    "environments/*/settings.yaml",
    "environments/*/policy.yaml",
)
# The oldest first, and never removed: forks skip versions.
# E.g. Migration("1.1.0", PARAMS, "gate.max_bias", "gate.max_miscalibration").
MIGRATIONS: tuple[Migration, ...] = ()


def migrate(after: str, migrations: Sequence[Migration] = MIGRATIONS) -> Iterator[str]:
    """Apply the renames after a version to the working directory, and yield each change.

    No file is written if any rename fails. A killed run may leave some files unchanged; another run
    changes the rest.
    """
    texts: dict[Path, str] = {}
    changes = []
    for migration in migrations:
        if number(migration.version) <= number(after):
            continue
        for path in sorted(Path().glob(migration.files)):
            text = texts[path] if path in texts else _read(path)
            texts[path] = rename(text, migration.old, migration.new, path.as_posix())
            if texts[path] != text:
                changes.append(f"{path.as_posix()}: {migration.old} is now {migration.new}")
    for path, text in texts.items():
        if text != _read(path):
            files.write(path, text.encode())
    yield from changes


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8. Save it as UTF-8 and commit it.") from None


def main() -> None:
    """Apply the renames after the version on the command line."""
    for change in migrate(sys.argv[1]):
        print(change)


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
