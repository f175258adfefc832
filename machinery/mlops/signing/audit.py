"""Known vulnerabilities of what is locked, as pip-audit tells, less those accepted for a while.

environments/advisories.yaml names what is accepted; machinery/docs/signing.md explains it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mlops.config.documents import NonEmpty, Strict, parse_list
from mlops.errors import UserError
from mlops.paths import ENVIRONMENTS
from mlops.rules import Verdict

ADVISORIES = ENVIRONMENTS / "advisories.yaml"
LOCKS = (Path("requirements.txt"), Path("requirements-serve.txt"))


class Accepted(Strict):
    """One advisory that is accepted until a day, that day included."""

    id: NonEmpty
    package: NonEmpty
    reason: NonEmpty
    by: NonEmpty
    until: date


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability of a locked package."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        known = f"{self.ids[0]} ({', '.join(self.ids[1:])})" if self.ids[1:] else self.ids[0]
        mended = f"mended in {', '.join(self.fixed)}" if self.fixed else "not mended yet"
        return f"{self.package} {self.version}: {known}, {mended}"


def parse_accepted(text: str) -> tuple[Accepted, ...]:
    """Read the file's content; only comments, as at first, are none. Raises UserError."""
    return parse_list(text, str(ADVISORIES), Accepted)


def judge(
    found: Sequence[Advisory], unknown: Sequence[str], accepted: Sequence[Accepted], day: date
) -> Iterator[tuple[Verdict, str]]:
    """Yield what is to be said of each advisory, acceptance and package that nobody knows."""
    used = set()
    for advisory in found:
        one = next((one for one in accepted if _covers(one, advisory)), None)
        if one is None:
            yield Verdict.FAIL, f"{advisory}. Raise its version (pyproject.toml, `make lock`)."
            continue
        used.add(one)
        if day <= one.until:
            yield Verdict.PASS, f"{advisory}; accepted until {one.until} by {one.by}: {one.reason}"
    for one in accepted:
        name = f"{one.id} of {one.package}"
        if day > one.until:
            again = f"Mend it, or agree anew and change {ADVISORIES}."
            yield Verdict.FAIL, f"{name} was accepted until {one.until}: {one.reason} {again}"
        elif one not in used:
            yield Verdict.PASS, f"{name} is not reported: take it out of {ADVISORIES}."
    for reason in unknown:
        yield Verdict.INCONCLUSIVE, f"{reason}."


def _covers(one: Accepted, advisory: Advisory) -> bool:
    return one.package == advisory.package and one.id in advisory.ids


def ask(locks: Sequence[Path]) -> list[dict[str, Any]]:
    """Return what pip-audit tells of every locked package.

    Raises UserError when the service (osv.dev, or what PIP_AUDIT_OSV_URL names) does not answer.
    """
    files = [word for lock in locks for word in ("--requirement", str(lock))]
    options = "--disable-pip --require-hashes --vulnerability-service osv --aliases on --desc off"
    output = ("--format", "json", "--progress-spinner", "off")
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *files, *options.split(), *output],
        capture_output=True,
        text=True,
        check=False,
    )
    # Its exit code is 1 for a vulnerability as for an error, and 0 for a package it skipped.
    try:
        told = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        told = []
    if told:
        return told
    words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    raise UserError(
        f"Whether {' and '.join(map(str, locks))} are safe is not known: {words[-1]}\n"
        "Nothing was audited. Is osv.dev reached? PIP_AUDIT_OSV_URL names another such service."
    )


def advisories(package: dict[str, Any]) -> Iterator[Advisory]:
    """Yield the advisories that pip-audit lists for a package."""
    for one in package.get("vulns", ()):
        ids = dict.fromkeys((one["id"], *one["aliases"]))
        fixed = tuple(one["fix_versions"])
        yield Advisory(package["name"], package["version"], tuple(ids), fixed)
