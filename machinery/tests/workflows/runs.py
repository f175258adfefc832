"""act, run for one event, and what it told: jobs, steps, outputs, the page of the run."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

STANDINS = Path(__file__).parent / "standins"
LABELS = ("ubuntu-24.04", "ubuntu-slim", "gpu")
# No step of the little repository under test is silent for as long, on a slow machine either.
SILENCE_SECONDS = 240.0


class Stalled(Exception):
    """act waits although nothing it started runs: it missed the end of a step."""


@dataclass
class Job:
    """A job that ran: its result, its steps' results and outputs by step name, what it printed."""

    name: str
    result: str = ""
    steps: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    log: str = ""


@dataclass
class Run:
    """What one event led to."""

    jobs: dict[str, Job]
    code: int
    log: str
    folder: Path

    @property
    def results(self) -> dict[str, str]:
        """The result of every job that ran, by the name of its check."""
        return {name: job.result for name, job in self.jobs.items()}

    @property
    def summary(self) -> str:
        """The page of the run."""
        return "\n".join(job.summary for job in self.jobs.values())

    @property
    def actions(self) -> list[dict]:
        """Every use of a third party's action, in order: `action`, `inputs`, `job`."""
        log = self.folder / "actions.jsonl"
        return [json.loads(line) for line in log.read_text("utf-8").splitlines()]

    @property
    def environments(self) -> dict[str, str]:
        """What each shell that ran had in its environment."""
        return {path.name: path.read_text("utf-8") for path in self.folder.glob("env/*")}

    def require(self, *names: str) -> None:
        """Assert that these jobs, and maybe others, ran and that nothing failed."""
        assert [name for name in names if self.results.get(name) != "success"] == [], self.log
        assert set(self.results.values()) == {"success"}, self.log
        assert self.code == 0, self.log

    def artifact(self, name: str) -> Path:
        """Return the folder of an artifact that was uploaded."""
        return self.folder / "artifacts" / "1" / name


def uses(folder: Path) -> set[str]:
    """Return every `owner/repository[/path]@commit` used by workflows and actions of a tree."""
    found = set()
    for path in sorted((folder / ".github").rglob("*.yml")):
        found |= set(re.findall(r"(?m)^\s*(?:- )?uses: ([^\s#]+)", path.read_text("utf-8")))
    return {name for name in found if not name.startswith(("./", "$/"))}


def local_repositories(folder: Path, remotes: Mapping[str, Path]) -> list[str]:
    """Return act's options that map every action to its stand-in; a missing one fails the test.

    `remotes` are repositories of ours at a commit, with the folders that play them.
    """
    options = {f"{name}={path}" for name, path in remotes.items()}
    for name in {one for tree in (folder, *remotes.values()) for one in uses(tree)}:
        path, _, commit = name.partition("@")
        repository = "/".join(path.split("/")[:2])
        if f"{repository}@{commit}" in remotes:
            continue
        assert (STANDINS / path / "action.yml").is_file(), f"{name} has no stand-in in {STANDINS}"
        options.add(f"{repository}@{commit}={STANDINS / repository}")
    return [word for option in sorted(options) for word in ("--local-repository", option)]


def pairs(option: str, values: dict[str, str]) -> list[str]:
    """Return an option of act once for each value."""
    return [word for key, value in values.items() for word in (option, f"{key}={value}")]


def command(folder: Path, event: str, workflow: Path) -> list[str]:
    """Return the command that lets an event happen, but for what is given to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        str(Path(sys.executable).with_name("act")),
        event,
        *("--eventpath", str(folder / "event.json")),
        *("--workflows", str(workflow)),
        *(word for label in LABELS for word in ("--platform", f"{label}=-self-hosted")),
        *("--action-offline-mode", "--pull=false", "--rm", "--json", "--no-skip-checkout"),
        *("--no-cache-server", "--container-daemon-socket", "-", "--insecure-secrets"),
        *("--remote-name", "github", "--action-cache-path", str(folder / "cache")),
        *("--artifact-server-path", str(folder / "unused"), "--artifact-server-addr", "127.0.0.1"),
        *("--artifact-server-port", str(port)),
    ]


def finish(
    command: list[str], folder: Path, silence: float = SILENCE_SECONDS, **options
) -> subprocess.CompletedProcess:
    """Run act to its end; raises Stalled, or AssertionError naming the process that hangs."""
    told, said = folder / "told.jsonl", folder / "said.txt"
    with told.open("wb") as stdout, said.open("wb") as stderr:
        process = subprocess.Popen(  # pylint: disable=consider-using-with # _explain ends it
            command, stdout=stdout, stderr=stderr, **options
        )
        size, since = -1, time.monotonic()
        while process.poll() is None:
            time.sleep(0.05)
            written = told.stat().st_size
            if written != size:
                size, since = written, time.monotonic()
            elif time.monotonic() - since > silence:
                _explain(process, told, said)
    texts = [path.read_text("utf-8", "replace") for path in (told, said)]
    return subprocess.CompletedProcess(command, process.returncode, *texts)


def _explain(process: subprocess.Popen, told: Path, said: Path) -> None:
    """End a run that says nothing any more, with whose fault it is."""
    steps = psutil.Process(process.pid).children(recursive=True)
    at_work = [f"{step.pid} {step.status()} {' '.join(step.cmdline())}" for step in steps]
    # Go answers with what each of its threads waits for.
    process.send_signal(signal.SIGQUIT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
    process.kill()
    for step in steps:
        with contextlib.suppress(psutil.NoSuchProcess):
            step.kill()
    last = "\n".join(told.read_text("utf-8", "replace").splitlines()[-5:])
    threads = said.read_text("utf-8", "replace")[-4000:]
    if not at_work:
        raise Stalled(f"{last}\n{threads}")
    raise AssertionError("\n".join(["A step hangs; its processes:", *at_work, last]))


def read(done: subprocess.CompletedProcess, folder: Path) -> Run:
    """Read act's lines of JSON into jobs."""
    jobs: dict[str, Job] = {}
    others = []
    for line in done.stdout.splitlines() + done.stderr.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            others.append(line)
            continue
        if "job" in told:
            _add(jobs, told)
        elif told.get("level") in ("error", "fatal", "panic"):
            others.append(told["msg"])
    # A leg of a matrix that is skipped is one of which no step runs (flat.py). A job that calls a
    # workflow of another repository has neither steps nor a result, nor has one that waits for a
    # runner, which act says of it.
    ran = {
        name: job
        for name, job in jobs.items()
        if job.steps or job.result not in ("", "success") or "unsupported platform" in job.log
    }
    log = "\n".join([*(f"== {job.name}: {job.result}\n{job.log}" for job in ran.values()), *others])
    return Run(ran, done.returncode, log, folder)


def _add(jobs: dict[str, Job], told: dict) -> None:
    """Add one line: act names a job `workflow/job`, and one called `caller/workflow/job`."""
    # It numbers the jobs of a matrix, whose names differ already.
    number = r"-\d+\s*$" if told.get("matrix") else "$"
    caller, *others = re.split(r"(?<! )/(?! )", re.sub(number, "", told["job"]).strip())
    name = others[0] if len(others) == 1 else f"{caller} / {others[-1]}"
    job = jobs.setdefault(name, Job(name))
    if not told.get("msg", "").startswith("LocalRepositoryCache"):
        job.log += told.get("msg", "").rstrip("\n") + "\n"
    job.result = told.get("jobResult", job.result)
    # Those inside a composite action have longer ids.
    whole = told.get("stage") == "Main" and len(told.get("stepID", ())) == 1
    if whole and "stepResult" in told:
        job.steps[told["step"]] = told["stepResult"]
    if whole and told.get("command") == "set-output":
        job.outputs[told["name"]] = told["arg"]
    if told.get("command") == "summary":
        job.summary += told["content"]
