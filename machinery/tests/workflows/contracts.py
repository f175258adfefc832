"""What must hold of every workflow and action, where the linters are silent.

Each contract takes one workflow of a tree and yields what is wrong with it, in words.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from machinery.tests.workflows.flat import load

WEIGHT = {"none": 0, "read": 1, "write": 2}
USES = re.compile(r"(?m)^\s*(?:- )?uses: (\S+)(?: # (\S+))?")
# One make target or step; what it is given comes through `env`.
RUN = re.compile(
    r'\.ci/run|(make|python3 -m mlops)( [a-z][a-z-]*| [A-Z]+="?\$?[A-Za-z-]+"?| --[a-z-]+)+'
)
PIN = re.compile(r"[0-9a-f]{40} # v\d+(\.\d+)*")
UNTRUSTED = re.compile(r"\$\{\{[^}]*(github\.event|github\.head_ref|github\.ref_name)")
# What a job that can sign may run: none of these imports `model`, `data` or what serves them.
APART = {"make setup", "make sbom", "make sign", "make wheel"}
# What reads no commit but the one checked out: everything else gets the whole history.
SHALLOW = APART | {
    "make report",
    "make gate",
    "make comment",
    "make audit",
    "make audit-workflows",
    "make publish",
    "python3 -m mlops all-green",
    '"${VENV:-.venv}/bin/python" -m mlops.ci.post_comment',
}
# What a step understands when it is empty.
EMPTY = {"GPU_RUNNER"}
# What refuses to be started by hand on another branch than main.
ASKING = {"python3 -m mlops plan", "make due", "make comment", "make upgrade"}
NUMBERS = ("fetch-depth", "retention-days")
REQUIRED = "all-green"
# Of an entry workflow: what only one of them does stands in it, not in a file of its own.
MOST_LINES = 125


@dataclass(frozen=True)
class Workflow:
    """A workflow, or an action whose steps are then those of one job: its text, what it says."""

    path: Path
    text: str
    says: dict[str, Any]

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """The jobs by id."""
        return self.says["jobs"] if "jobs" in self.says else {"the action": self.says["runs"]}

    @property
    def steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every step, with the id of its job."""
        for name, job in self.jobs.items():
            yield from ((name, step) for step in job.get("steps", ()))

    @property
    def called(self) -> bool:
        """Whether others call it."""
        return "workflow_call" in self.says["on"]

    def callee(self, job: dict[str, Any]) -> "Workflow | None":
        """Return the workflow of the same tree that a job calls."""
        uses = job.get("uses", "")
        return read(self.tree / uses[2:]) if uses.startswith("$/") else None

    @property
    def tree(self) -> Path:
        """The folder that .github lies in."""
        return next(folder.parent for folder in self.path.parents if folder.name == ".github")


def read(path: Path) -> Workflow:
    """Read a workflow file."""
    return Workflow(path, path.read_text("utf-8"), load(path))


def named(workflow: Workflow) -> Iterator[str]:
    """Every workflow, job and step has a name, since a check is known by it; none stutters."""
    if "name" not in workflow.says:
        yield "the workflow has no name"
    yield from (
        f"job {name} has no name" for name, job in workflow.jobs.items() if not job.get("name")
    )
    for name, step in workflow.steps:
        if "name" not in step:
            yield f"a step of {name} has no name: {step}"
    for job in workflow.jobs.values():
        callee = workflow.callee(job)
        for inner in callee.jobs.values() if callee else ():
            if inner["name"].lower().startswith(job["name"].lower()):
                yield f"a check is called {job['name']} / {inner['name']}"


def limited(workflow: Workflow) -> Iterator[str]:
    """Every job that runs has a time limit."""
    for name, job in workflow.jobs.items():
        if "steps" in job and "timeout-minutes" not in job:
            yield f"job {name} has no timeout-minutes"


def granted(workflow: Workflow) -> Iterator[str]:
    """Nothing is granted to a whole file; what a job is granted has its reason beside it."""
    if workflow.says.get("permissions") != {}:
        yield "`permissions: {}` is missing at the top"
    for name, job in workflow.jobs.items():
        if not isinstance(job.get("permissions"), dict):
            yield f"job {name} does not say its permissions"
    for line in re.findall(r"(?m)^      [a-z-]+: (?:read|write)\b(?! # \w).*$", workflow.text):
        yield f"no reason beside `{line.strip()}`"


def covered(workflow: Workflow) -> Iterator[str]:
    """What a caller grants is what the workflow it calls asks for, no less and no more."""
    for name, job in workflow.jobs.items():
        callee, grants = workflow.callee(job), job.get("permissions")
        if callee and grants != asked(callee):
            yield f"job {name} grants {grants}, {callee.path.name} asks {asked(callee)}"


def asked(workflow: Workflow) -> dict[str, str]:
    """Return the permissions that the jobs of a workflow need together."""
    needed: dict[str, str] = {}
    for job in workflow.jobs.values():
        for scope, access in job.get("permissions", {}).items():
            needed[scope] = max(access, needed.get(scope, "none"), key=WEIGHT.__getitem__)
    return needed


def grouped(workflow: Workflow) -> Iterator[str]:
    """Only entry workflows have a concurrency group, and its prefix is the file's name.

    In a called workflow `github.workflow` is the caller's: caller and callee would wait for each
    other, or cancel each other.
    """
    anywhere = [workflow.says, *workflow.jobs.values()]
    if workflow.called:
        if any("concurrency" in one for one in anywhere):
            yield "a called workflow has a concurrency group"
        return
    for group in [one["concurrency"]["group"] for one in anywhere if "concurrency" in one] or [""]:
        if not group.startswith(workflow.path.stem):
            yield f"the concurrency group {group!r} does not begin with {workflow.path.stem!r}"


def aggregated(workflow: Workflow) -> Iterator[str]:
    """The required job needs every other one, always runs, and its workflow always starts."""
    if REQUIRED not in workflow.jobs:
        return
    job = workflow.jobs[REQUIRED]
    if missing := workflow.jobs.keys() - {REQUIRED, *job.get("needs", ())}:
        yield f"{REQUIRED} does not need {', '.join(sorted(missing))}"
    if job.get("if") != "always()":
        yield f"{REQUIRED} does not run always"
    for event, filters in workflow.says["on"].items():
        if {"paths", "paths-ignore"} & (filters or {}).keys():
            yield f"{event} has paths: skipped, the required check would wait for ever"


def anchored(workflow: Workflow) -> Iterator[str]:
    """The required check answers pull requests into main, and no others.

    GitHub keeps a check with its commit, and starts nothing when a pull request's base is edited:
    what was green against another branch would be green for main.
    """
    on = workflow.says["on"]
    if REQUIRED in workflow.jobs and "pull_request" in on:
        if (on["pull_request"] or {}).get("branches") != ["main"]:
            yield f"pull_request is answered whatever its base, and main requires {REQUIRED}"


def testifying(workflow: Workflow) -> Iterator[str]:
    """Evidence is about the commit of its run, by which `promote --run` accepts it."""
    for name, job in workflow.jobs.items():
        steps = job.get("steps", [])
        if any(step.get("with", {}).get("name") == "evidence" for step in steps):
            refs = [step["with"]["ref"] for step in steps if "ref" in step.get("with", {})]
            yield from (f"job {name} leaves evidence of its run, and tests {ref}" for ref in refs)


def remembering(workflow: Workflow) -> Iterator[str]:
    """What a push needs is not judged by that push alone: the run before may have failed."""
    if "github.event.before" in workflow.text:
        yield "it compares with github.event.before: what a run that failed left undone stays so"


def uncached(workflow: Workflow) -> Iterator[str]:
    """What ships reads no cache, which others may have filled; a pull request ships nothing."""
    on, mode = workflow.says["on"], workflow.says.get("cache-mode")
    if workflow.called or "pull_request" in on or mode == "none":
        return
    for name, job in workflow.jobs.items():
        grants = job.get("permissions", {})
        if "write" in (grants.values() if isinstance(grants, dict) else ("write",)):
            yield f"job {name} may write, and `cache-mode: none` is missing at the top"


def documented(workflow: Workflow) -> Iterator[str]:
    """A called workflow describes what it takes and gives, and shows a caller that fits.

    It has one job, unless it only calls others.
    """
    if not workflow.called:
        return
    contract = workflow.says["on"]["workflow_call"] or {}
    for kind in ("inputs", "outputs", "secrets"):
        for name, declared in contract.get(kind, {}).items():
            if not (declared or {}).get("description"):
                yield f"the {kind[:-1]} {name} has no description"
    steps = any("steps" in job for job in workflow.jobs.values())
    if (steps and len(workflow.jobs) != 1) or list(workflow.says["on"]) != ["workflow_call"]:
        yield "a called workflow has one job, and no other trigger"
    yield from _example(workflow, contract.get("inputs", {}))


def _example(workflow: Workflow, inputs: dict[str, Any]) -> Iterator[str]:
    header = workflow.text.partition("\nname:")[0]
    lines = [line[2:] for line in header.splitlines() if line.startswith("#   ")]
    try:
        (job,) = yaml.safe_load("\n".join(lines)).values()
    except (AttributeError, ValueError, yaml.YAMLError):
        yield "the comment above `name:` shows no caller"
        return
    given = set(job.get("with", {}))
    required = {name for name, one in inputs.items() if one.get("required")}
    if job.get("uses") != f"$/.github/workflows/{workflow.path.name}":
        yield "the caller shown calls another workflow"
    if job.get("permissions", {}) != asked(workflow):
        yield f"the caller shown grants {job.get('permissions')}, needed is {asked(workflow)}"
    if not required <= given <= set(inputs):
        yield f"the caller shown gives {sorted(given)}, the inputs are {sorted(inputs)}"


def pinned(workflow: Workflow) -> Iterator[str]:
    """What others wrote is used at a whole commit with its version beside it; our own by `$/`.

    One action is used at one commit in the whole tree: whoever raises it has read it once.
    """
    files = sorted((workflow.tree / ".github").rglob("*.yml"))
    everywhere = {pin for path in files for pin in _pins(path.read_text("utf-8"))}
    for action, commit, version in sorted(set(_pins(workflow.text))):
        if not PIN.fullmatch(f"{commit} # {version}"):
            yield f"{action}@{commit} # {version} is no whole commit with its version"
        for name, other, told in sorted(everywhere):
            if name == action and (other, told) != (commit, version):
                yield f"{action} is used at {commit} # {version} and at {other} # {told}"


def _pins(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield repository, commit and version of every use of what others wrote."""
    for uses, version in USES.findall(text):
        if not uses.startswith("$/"):
            name, _, commit = uses.partition("@")
            yield "/".join(name.split("/")[:2]), commit, version


def plain(workflow: Workflow) -> Iterator[str]:
    """A step runs one make target or step, as anybody could on a laptop, and decides no number."""
    for name, step in workflow.steps:
        if "run" in step and not RUN.fullmatch(step["run"].strip()):
            yield f"job {name} runs {step['run']!r}"
        for key, value in {**step.get("with", {}), **step.get("env", {})}.items():
            if key not in NUMBERS and re.fullmatch(r"[\d.]+", str(value)):
                yield f"job {name} says {key}: {value}, and numbers live in params.yaml"


def inert(workflow: Workflow) -> Iterator[str]:
    """No `run` holds an expression: a title, a branch's name or a message would become code."""
    for name, step in workflow.steps:
        if "${{" in step.get("run", ""):
            yield f"job {name} runs an expression: {step['run']!r}"


def careful(workflow: Workflow) -> Iterator[str]:
    """No credentials stay behind, no secret is inherited, nothing privileged runs others' code."""
    for name, step in workflow.steps:
        checkout = step.get("uses", "").startswith("actions/checkout@")
        if checkout and step.get("with", {}).get("persist-credentials") is not False:
            yield f"job {name} checks out and keeps the credentials"
        if "run-id" in step.get("with", {}) and "artifact@" in step["uses"]:
            yield f"job {name} fetches another run's artifact, whoever wrote it"
        if "ARGS" in step.get("env", {}):
            yield f"job {name} gives ARGS, which the shell reads"
        if "cache" in step.get("uses", "") and UNTRUSTED.search(str(step.get("with"))):
            yield f"job {name} has a cache whose name a stranger chooses"
    for trigger in {"pull_request_target", "workflow_run"} & workflow.says.get("on", {}).keys():
        yield f"it is started by {trigger}"
    for name, job in workflow.jobs.items():
        if job.get("secrets") == "inherit":
            yield f"job {name} hands over every secret"


def single(workflow: Workflow) -> Iterator[str]:
    """Nothing waits for every leg of a matrix: what follows one of them is called with it.

    But for the required job, which judges all of them.
    """
    for name, job in workflow.jobs.items():
        for one in job.get("needs", ()) if name != REQUIRED else ():
            if "strategy" in workflow.jobs[one]:
                yield f"job {name} waits for every leg of {one}"


def hosted(workflow: Workflow) -> Iterator[str]:
    """A pull request's code runs where the plan says, which knows whose it is, or on GitHub's."""
    if "pull_request" in workflow.says["on"]:
        for name, job in workflow.jobs.items():
            callee = workflow.callee(job)
            for inner in callee.jobs.values() if callee else (job,):
                if "vars." in str(inner.get("runs-on")):
                    yield f"job {name} brings a pull request to a runner of ours"


def defaulted(workflow: Workflow) -> Iterator[str]:
    """A pull request's job has a default beside each variable: for a fork's they are all empty."""
    if "pull_request" not in workflow.says["on"]:
        return
    for name, job in workflow.jobs.items():
        callee = workflow.callee(job)
        text = str([*callee.jobs.values()] if callee else job)
        for expression in re.findall(r"\$\{\{.*?\}\}", text):
            for variable in re.findall(r"vars\.(\w+)(?! *\|\|)\b", expression):
                if variable not in EMPTY:
                    yield f"job {name} reads {variable} without a default"


def reaching(workflow: Workflow) -> Iterator[str]:
    """What reads or writes the store can run where the credentials for it are.

    A pull request goes where the plan says, or makes do with the store beside the repository.
    """
    others = [path.read_text("utf-8") for path in workflow.path.parent.glob("*.yml")]
    called = any("pull_request:" in one and workflow.path.name in one for one in others)
    if not called and "pull_request" not in workflow.says["on"]:
        for name, job in workflow.jobs.items():
            if "MLOPS_STORE" in str(job) and "${{" not in job["runs-on"]:
                yield f"job {name} needs the store, and runs on {job['runs-on']} whatever is set"


def apart(workflow: Workflow) -> Iterator[str]:
    """A job that can sign runs nothing of the model, which could sign whatever it likes."""
    for name, job in workflow.jobs.items():
        steps, key = job.get("steps", []), re.compile(r"secrets\.signing[-_]key", re.IGNORECASE)
        if {"id-token", "attestations"} & set(job.get("permissions", ())) or key.search(str(steps)):
            for run in sorted({*_runs(workflow, steps)} - APART):
                yield f"job {name} can sign, and runs {run!r}"


def historical(workflow: Workflow) -> Iterator[str]:
    """A job has the commits before its own unless nothing that it runs needs them.

    By default a checkout is one commit, in which `promote` and `git clone` refuse.
    """
    for name, job in workflow.jobs.items():
        steps = job.get("steps", [])
        uses = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
        if any(str(step.get("with", {}).get("fetch-depth")) != "0" for step in uses):
            runs = {run for run in _runs(workflow, steps) if re.search(r"\bmake\b|\bmlops\b", run)}
            for run in sorted(runs - SHALLOW):
                yield f"job {name} checks out one commit, and runs {run!r}"


def enclosed(workflow: Workflow) -> Iterator[str]:
    """Only a job of the environment `release` reads a secret; callers pass it under its own name.

    A secret of the repository is read from any branch. The environment's takes the place of what a
    caller passes, where both have one name.
    """
    for name, job in workflow.jobs.items():
        read_here = str([job.get("env"), job.get("steps")])
        for secret in sorted(set(re.findall(r"\bsecrets\.([\w-]+)", read_here))):
            if job.get("environment") != {"name": "release", "deployment": False}:
                yield f"job {name} reads {secret} outside of the environment release"
        passed = job.get("secrets", {})
        for secret, value in passed.items() if isinstance(passed, dict) else ():
            if value != f"${{{{ secrets.{secret} }}}}":
                yield f"job {name} passes {value} as {secret}"


def home(workflow: Workflow) -> Iterator[str]:
    """What people can start by hand begins with a step that refuses other branches than main.

    An environment on the job does so as well: it names the branches whose jobs it takes.
    """
    if "workflow_dispatch" not in workflow.says.get("on", {}):
        return
    for name, job in workflow.jobs.items():
        callee = workflow.callee(job)
        first = [] if job.get("needs") else (callee.jobs.values() if callee else [job])
        for inner in (one for one in first if not one.get("needs")):
            runs = {*_runs(callee or workflow, inner.get("steps", []))}
            if "environment" not in inner and not runs & ASKING:
                yield f"job {name} runs on whatever branch it is started on"


def _runs(workflow: Workflow, steps: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what steps run, those of our own actions too."""
    for step in steps:
        if "run" in step:
            yield step["run"].strip()
        elif step["uses"].startswith("$/"):
            action = load(workflow.tree / step["uses"][2:] / "action.yml")
            yield from _runs(workflow, action["runs"]["steps"])


def short(workflow: Workflow) -> Iterator[str]:
    """An entry workflow can be read at once."""
    lines = len(workflow.text.splitlines())
    if not workflow.called and lines > MOST_LINES:
        yield f"it has {lines} lines, more than {MOST_LINES}"


Contract = Callable[[Workflow], Iterator[str]]
OF_ACTIONS: tuple[Contract, ...] = (pinned, inert, careful)
CONTRACTS: tuple[Contract, ...] = (
    named,
    limited,
    granted,
    covered,
    grouped,
    aggregated,
    anchored,
    testifying,
    remembering,
    single,
    uncached,
    documented,
    pinned,
    plain,
    inert,
    careful,
    hosted,
    defaulted,
    reaching,
    apart,
    historical,
    enclosed,
    home,
    short,
)
