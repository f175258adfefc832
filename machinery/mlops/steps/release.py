"""Release the machinery: write its version, date its changelog, list the digest of every file.

Changes machinery/pyproject.toml, mlops/__init__.py, CHANGELOG.md, RELEASE and the digests of the
example's files that `start` may replace; commits nothing, and prints the tag that starts the
release workflow.
"""

import argparse
import re
from datetime import UTC, datetime

from mlops.config.options import Option
from mlops.console import say
from mlops.errors import UserError
from mlops.files import write
from mlops.starting import example
from mlops.upgrading import manifest

OPTIONS = (Option("--version", "the new version, such as 1.2.0", "VERSION", required=True),)
CHANGELOG = manifest.FOLDER / "CHANGELOG.md"
PLACES = (
    (manifest.FOLDER / "pyproject.toml", r'(?m)^version = "[^"]+"', 'version = "{}"'),
    (manifest.FOLDER / "mlops/__init__.py", r'(?m)^__version__ = "[^"]+"', '__version__ = "{}"'),
)


def run(options: argparse.Namespace) -> None:
    """Write the four files; raises UserError if the version or the changelog is unfit."""
    version, log = options.version, CHANGELOG.read_text(encoding="utf-8")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise UserError(f"VERSION is {version!r}. Give three numbers, such as 1.2.0.")
    if "## Unreleased" not in log and f"## {version} " not in log:
        raise UserError(
            f"{CHANGELOG} has no heading `## Unreleased`. Add it with a list of the changes."
        )
    for path, pattern, line in PLACES:
        write(
            path, re.sub(pattern, line.format(version), path.read_text(encoding="utf-8"), count=1)
        )
    heading = f"## {version} ({datetime.now(UTC):%Y-%m-%d})"
    write(CHANGELOG, log.replace("## Unreleased", heading, 1))
    write(example.DIGESTS, example.text())
    write(manifest.MANIFEST, manifest.text(version))
    say("release", f"{version}: {len(manifest.digests())} files listed in {manifest.MANIFEST}")
    say("", f"commit, then: git tag v{version} && git push origin v{version}")
