"""Known vulnerabilities of the locked packages, as pip-audit reports them, less the accepted ones.

environments/advisories.yaml lists the accepted ones; machinery/docs/signing.md explains it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mlops.config.documents import Acceptance, NonEmpty, parse_list
from mlops.errors import UserError, failure
from mlops.paths import ENVIRONMENTS
from mlops.rules import Verdict

ADVISORIES = ENVIRONMENTS / "advisories.yaml"
LOCKS = (Path("requirements.txt"), Path("requirements-serve.txt"))


class AcceptedAdvisory(Acceptance):
    """An advisory that the team accepts for one package."""

    id: NonEmpty
    package: NonEmpty


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability of a locked package."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        ids = f"{self.ids[0]} ({', '.join(self.ids[1:])})" if self.ids[1:] else self.ids[0]
        fix = f"fixed in {', '.join(self.fixed)}" if self.fixed else "not fixed yet"
        return f"{self.package} {self.version}: {ids}, {fix}"


def parse_accepted(text: str) -> tuple[AcceptedAdvisory, ...]:
    """Parse the file's content; a file of comments only gives (). Raises UserError."""
    return parse_list(text, str(ADVISORIES), AcceptedAdvisory)


def judge(
    advisories: Sequence[Advisory],
    skip_reasons: Sequence[str],
    accepted: Sequence[AcceptedAdvisory],
    day: date,
) -> Iterator[tuple[Verdict, str]]:
    """Yield a verdict and its reason for each advisory, acceptance and skipped package."""
    used = set()
    for advisory in advisories:
        match = next((one for one in accepted if _covers(one, advisory)), None)
        if match is None:
            yield Verdict.FAIL, f"{advisory}. Raise its version (pyproject.toml, `make lock`)."
            continue
        used.add(match)
        if not match.is_over(day):
            approval = f"accepted until {match.until} by {match.by}: {match.reason}"
            yield Verdict.PASS, f"{advisory}; {approval}"
    for one in accepted:
        name = f"{one.id} of {one.package}"
        if one.is_over(day):
            remedy = f"Fix it, or agree on a new date and change {ADVISORIES}."
            yield Verdict.FAIL, f"{name} was accepted until {one.until}: {one.reason} {remedy}"
        elif one not in used:
            yield Verdict.PASS, f"{name} is not reported any more: remove it from {ADVISORIES}."
    for reason in skip_reasons:
        yield Verdict.INCONCLUSIVE, f"{reason}."


def _covers(one: AcceptedAdvisory, advisory: Advisory) -> bool:
    return one.package == advisory.package and one.id in advisory.ids


def run_pip_audit(locks: Sequence[Path]) -> list[dict[str, Any]]:
    """Return pip-audit's report on every locked package.

    Raises UserError if the service (osv.dev, or PIP_AUDIT_OSV_URL) does not answer.
    """
    files = [argument for lock in locks for argument in ("--requirement", str(lock))]
    options = "--disable-pip --require-hashes --vulnerability-service osv --aliases on --desc off"
    output = ("--format", "json", "--progress-spinner", "off")
    process = subprocess.run(
        [sys.executable, "-m", "pip_audit", *files, *options.split(), *output],
        capture_output=True,
        text=True,
        check=False,
    )
    # The exit code is useless: 1 for a vulnerability and for an error, 0 for a skipped package.
    try:
        packages = json.loads(process.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    if packages:
        return packages
    why = failure(process.stderr, f"exit code {process.returncode}")
    raise UserError(
        f"pip-audit could not audit {' and '.join(map(str, locks))}: {why}\n"
        "Nothing was audited. Check the connection to osv.dev, or name another such service in "
        "PIP_AUDIT_OSV_URL."
    )


def advisories_of(package: dict[str, Any]) -> Iterator[Advisory]:
    """Yield the advisories in pip-audit's report on a package."""
    for vulnerability in package.get("vulns", ()):
        ids = dict.fromkeys((vulnerability["id"], *vulnerability["aliases"]))
        fixed = tuple(vulnerability["fix_versions"])
        yield Advisory(package["name"], package["version"], tuple(ids), fixed)
