"""What a change needs: which jobs, on which Pythons, trained on which runner.

Pure, and of the standard library: a bare runner plans before anything is installed.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from typing import Any

from mlops.errors import UserError

# The kinds of changes, by the files that belong to one; the first that matches counts. A file that
# matches none may change everything, so a new one is never forgotten.
KINDS = {
    "release": (
        "environments/*/release.yaml",
        "environments/releases/*",
        "environments/quarantine.yaml",
    ),
    "docs": ("README.md", "data/*.md", "model/*.md", "loadtests/*.md", "environments/*.md"),
    "environment": ("environments/*/*", "environments/advisories.yaml"),
    "repository": (
        ".github/ISSUE_TEMPLATE/*",
        ".github/PULL_REQUEST_TEMPLATE.md",
        ".github/settings/*",
        ".github/CODEOWNERS",
        ".github/dependabot.yml",
        ".gitignore",
        ".gitattributes",
        ".pre-commit-config.yaml",
    ),
    "tests": ("tests/*", "loadtests/*"),
    "params": ("params.yaml", "params.schema.json"),
    "waivers": ("environments/waivers.yaml",),
    "data": ("data/*",),
    "model": ("model/*",),
    "lock": ("pyproject.toml", "requirements.txt", "requirements-serve.txt"),
    "machinery, not run": (
        "machinery/docs/*",
        "machinery/tests/*",
        "machinery/benchmarks/*",
        "machinery/*.md",
    ),
    "machinery": ("machinery/*", "Makefile", "Dockerfile", ".github/*"),
}
OTHER = "other"
# What a kind needs besides the fast checks, which also check the rules of releases, environments
# and pages.
TRAINED = {"params", "waivers", "data", "model", "lock", "machinery", OTHER}
# Numbers and rows mean the same to every Python: testing on the service's version is enough.
TESTED_ON_ONE = {"params", "data"}
TESTED_ON_ALL = {"tests", "model", "lock", "machinery, not run", "machinery", OTHER}
HOSTED = ("ubuntu-24.04",)
# What each job of a pull request takes on a hosted runner, in seconds, without the wait for it.
# Estimates for the example, none measured on GitHub: a minute for the set-up, ten seconds for a
# checkout with its history, and about twice the seconds of CPU that the commands take here.
SECONDS = {
    "ci.yml": {
        "plan": 20,  # a checkout and a comparison; nothing is set up
        "lint": 110,
        "test": 150,  # the team's tests and the conformance suite: 16 seconds of CPU
        "train": 130,  # data, training, champion, report and gate: 22 seconds of CPU
        "comment": 80,
        "all-green": 15,  # neither checkout nor set-up
    },
    "security.yml": {"workflows": 90, "dependencies": 90},
}
# The job `test` where the machinery differs from its release: its own tests run as well.
MACHINERY_TEST_SECONDS = 35 * 60
DEPENDABOT = "dependabot[bot]"
CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")


class Pythons(StrEnum):
    """The Pythons that a change is tested on."""

    NONE = "none"
    ONE = "one"
    ALL = "all"


@dataclass(frozen=True)
class Work:
    """Which Pythons the tests need, whether a model is trained and judged, and why."""

    pythons: Pythons
    train: bool
    why: str


@dataclass(frozen=True)
class TrainingRunner:
    """Where a model is trained: the labels of a runner, and `cpu` or `gpu`."""

    labels: tuple[str, ...]
    device: str
    why: str


def kind(name: str) -> str:
    """Return the kind of change to which a changed file belongs."""
    kinds = (kind for kind, patterns in KINDS.items() if _any(name, patterns))
    return next(kinds, OTHER)


def work(
    changed: Iterable[str] | None, why: str = "no file differs", *, as_released: bool = True
) -> Work:
    """Return what the changed files need: everything if they are unknown or none.

    If the machinery differs from its release, its own tests run, and they read most files of the
    repository: then every change except a release file is tested on all Pythons.
    """
    files = sorted(changed or ())
    if not files:
        return Work(Pythons.ALL, True, f"everything is needed: {why}")
    kinds = {name: kind(name) for name in files}
    present = set(kinds.values())
    tested = Pythons.ONE if present & TESTED_ON_ONE else Pythons.NONE
    if present & TESTED_ON_ALL or not as_released and present - {"release"}:
        tested = Pythons.ALL
    deciding = [name for name, kind_ in kinds.items() if kind_ in TRAINED]
    if deciding:
        return Work(tested, True, f"{deciding[0]} changed ({_count(files)})")
    return Work(tested, False, f"no file that a model is made from changed ({_count(files)})")


def is_taken_over(codeowners: str | None) -> bool:
    """Return whether this copy has an owner: whether a line of CODEOWNERS names one."""
    return bool(re.search(r"(?m)^[^#\s]\S*[ \t]+\S*@", codeowners or ""))


def training_runner(variable: str, trusted: bool) -> TrainingRunner:
    """Return the runner that GPU_RUNNER names; untrusted code runs on hosted runners only.

    Raises UserError for a value that is no JSON list of labels.
    """
    variable = variable.strip()
    if not variable:
        return TrainingRunner(HOSTED, "cpu", "the variable GPU_RUNNER is not set")
    labels = _labels(variable)
    if not trusted:
        return TrainingRunner(
            HOSTED, "cpu", "code from a fork or Dependabot does not reach a runner of your own"
        )
    return TrainingRunner(labels, "gpu", "the variable GPU_RUNNER names it")


def base(event: dict[str, Any]) -> str:
    """Return the commit that a change to be merged is compared with, "" for other events."""
    pull_request, group = event.get("pull_request", {}), event.get("merge_group", {})
    return pull_request.get("base", {}).get("sha", "") or group.get("base_sha", "")


def pushed(event: dict[str, Any]) -> bool:
    """Return whether an event is a push; one to the branch of a pull request does not count."""
    return "before" in event and "pull_request" not in event


def trusted(event: dict[str, Any]) -> bool:
    """Return whether the author of an event's code may push to the repository.

    Dependabot may push, but it brings code of others that nobody has reviewed.
    """
    if "pull_request" not in event:
        return True
    if (event["pull_request"].get("user") or {}).get("login") == DEPENDABOT:
        return False
    head = (event["pull_request"].get("head") or {}).get("repo") or {}
    return head.get("full_name") == event["repository"]["full_name"]


def python_versions(pyproject: dict[str, Any]) -> list[str]:
    """Return the Pythons that pyproject.toml's classifiers name; raises UserError for none."""
    lines = pyproject.get("project", {}).get("classifiers", ())
    versions = [match[1] for line in lines if (match := CLASSIFIER.fullmatch(line))]
    if not versions:
        raise UserError(
            "pyproject.toml names no Python to test on. Add a line to project.classifiers, "
            'such as "Programming Language :: Python :: 3.12".'
        )
    return versions


def _labels(variable: str) -> tuple[str, ...]:
    try:
        labels = json.loads(variable)
    except ValueError:
        labels = None
    if isinstance(labels, list) and labels and all(isinstance(x, str) and x for x in labels):
        return tuple(labels)
    raise UserError(
        f"The variable GPU_RUNNER is {variable!r}. It is a JSON list of the labels of a runner, "
        'such as ["self-hosted", "gpu"], or empty for hosted runners. Mend it in the '
        "repository's settings: Secrets and variables, Actions, Variables."
    )


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _count(files: list[str]) -> str:
    return f"{len(files)} file{'' if len(files) == 1 else 's'}"
