"""Publish a release of the machinery: `make check-tag`, then `make publish` with its wheel.

Both run in machinery-release.yml, for the tag that TAG names. A published wheel is never
replaced, because forks pin it by its hash.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from mlops import __version__, cli
from mlops.console import say
from mlops.errors import Refused, UserError
from mlops.exit import exit_now
from mlops.upgrading import manifest

WHEELS = Path("build/wheel")
CHANGELOG = manifest.FOLDER / "CHANGELOG.md"
_SHOWN = 5


def check(tag: str) -> None:
    """Raise Refused if the machinery here has another version, or differs from RELEASE."""
    project = tomllib.loads((manifest.FOLDER / "pyproject.toml").read_text("utf-8"))
    released, _ = manifest.read()
    versions = {
        "mlops/__init__.py": __version__,
        "pyproject.toml": project["project"]["version"],
        "RELEASE": released,
    }
    differ = {name: version for name, version in versions.items() if tag != f"v{version}"}
    wrong = [f"{name} has {version}" for name, version in differ.items()]
    if wrong:
        raise Refused(
            f"the tag is {tag or 'none'}, and in {manifest.FOLDER}/ {', '.join(wrong)}. Tag the "
            "commit that `make release` prepared; remove this workflow from a fork that does not "
            "release the machinery."
        )
    if changed := manifest.machinery().changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise Refused(
            f"{', '.join(changed[:_SHOWN])}{more} differ from {manifest.MANIFEST}. Release this "
            "state under a new version: make release VERSION=..."
        )
    say("check-tag", f"{tag}: every file is as {manifest.MANIFEST} lists it")


def publish(tag: str) -> None:
    """Attach the wheel in build/wheel to the tag's release on GitHub; creates the release."""
    check(tag)
    wheels = sorted(WHEELS.glob("*.whl"))
    expected = f"mlops_machinery-{__version__}-py3-none-any.whl"
    if [wheel.name for wheel in wheels] != [expected]:
        names = ", ".join(wheel.name for wheel in wheels) or "nothing"
        raise UserError(f"{WHEELS} holds {names}, not {expected} alone. Run `make wheel`.")
    if _gh("release", "view", tag).returncode == 0:
        done = _gh("release", "upload", tag, str(wheels[0]))
    else:
        notes = (
            "--title",
            f"Machinery {__version__}",
            "--notes",
            changes(CHANGELOG.read_text("utf-8")),
        )
        done = _gh("release", "create", tag, str(wheels[0]), "--verify-tag", *notes)
    if done.returncode:
        raise UserError(f"gh did not publish the wheel: {done.stderr.strip()}")
    say("publish", f"{wheels[0].name} is attached to the release {tag}")


def changes(changelog: str) -> str:
    """Return this version's section of the changelog, without its heading."""
    match = re.search(rf"(?ms)^## {re.escape(__version__)}\b.*?\n(.*?)(?=^## |\Z)", changelog)
    return match[1].strip() if match else ""


def _gh(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["gh", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(
            "gh, GitHub's command line, is not installed; hosted runners have it."
        ) from None


def main() -> None:
    """Run the command: check or publish."""
    command = {"check": check, "publish": publish}[sys.argv[1]]
    exit_now(cli.exit_code_of(lambda: command(os.environ.get("TAG", ""))))


if __name__ == "__main__":
    main()
