"""Show a model's whole life on the example, in a temporary copy below build/demo.

The demonstration runs the ordinary steps, with real commits, services and load on this machine.
The user's checkout, its history and its build/ stay unchanged.
"""

import argparse
import io
import json
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from mlops import cli, git
from mlops.config.options import Option
from mlops.console import print_error
from mlops.errors import UserError
from mlops.files import extract, write
from mlops.paths import IN_TREE
from mlops.releases import environments
from mlops.releases.quarantine import QUARANTINE
from mlops.releases.release import CATALOGUE, none_yet
from mlops.serving import client
from mlops.training import contract, partitions

OPTIONS = (Option("--keep", "leave the services running", switch=True),)
HOME = Path("build/demo").absolute()
COPY = HOME / "repository"
BUILD = ("check-data", "train", "evaluate", "report", "gate", "package")
# These parameters overfit: each tree may fit single flights, without any regularisation.
OVERFITTING = {
    "n_estimators": 300,
    "learning_rate": 0.3,
    "min_child_weight": 1.0,
    "subsample": 1.0,
    "colsample_bytree": 1.0,
}


class DemoFailed(Exception):
    """A step of the demonstration ended with an unexpected result."""


class Demo:
    """Runs steps in the copy, prints their output and measures their time."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._chapter = 0
        self.seconds: dict[str, float] = {}
        self.ports: dict[str, int] = {}
        identity = {"NAME": "demo", "EMAIL": "demo@localhost"}
        committer = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in identity.items()
        }
        # Runs the copy's code with the libraries installed here.
        python = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(COPY / IN_TREE.parent)}
        self.environment = git.variables(committer | python)

    def chapter(self, title: str) -> None:
        """Print the title of the next chapter."""
        self._chapter += 1
        print(f"\n{self._elapsed()}  {self._chapter}. {title}", flush=True)

    def print(self, text: str) -> None:
        """Print an indented line."""
        print(f"        {text}", flush=True)

    def run(self, *arguments: str, expect: int = cli.PASS) -> str:
        """Run steps in the copy, print and return their output.

        Raises DemoFailed for another exit code than expected.
        """
        shown = " ".join(word if " " not in word else repr(word) for word in arguments)
        self.print(f"$ python -m mlops {shown}")
        start, output = time.perf_counter(), []
        command = [sys.executable, "-m", "mlops", *arguments]
        with subprocess.Popen(
            command,
            cwd=COPY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout:
                output.append(line)
                if line.strip():
                    self.print(f"  {line.rstrip()}")
        self.seconds[" ".join(arguments)] = time.perf_counter() - start
        if process.returncode != expect:
            raise DemoFailed(
                f"`{' '.join(command[1:])}` exited with {process.returncode}, not {expect}. "
                f"Look into {COPY}."
            )
        return "".join(output)

    def edit_params(self, values: dict[str, object], message: str) -> None:
        """Change values in the copy's params.yaml and commit, as a pull request would."""
        path = COPY / "params.yaml"
        text = path.read_text(encoding="utf-8")
        for key, value in values.items():
            self.print(f"params.yaml: {key} becomes {value}")
            text, count = re.subn(rf"(?m)^(\s*{key}:).*$", rf"\1 {value}", text)
            if count != 1:
                raise DemoFailed(f"{path} holds {count} lines with the key {key}, not one.")
        if text != path.read_text(encoding="utf-8"):
            write(path, text)
            self.git("commit", "--quiet", "--all", "--message", message)

    def git(self, *arguments: str) -> None:
        """Run git in the copy."""
        subprocess.run(["git", *arguments], cwd=COPY, env=self.environment, check=True)

    def _elapsed(self) -> str:
        return f"{time.perf_counter() - self._start:5.0f} s"


def copy_here(demo: Demo) -> None:
    """Create a repository with the content of HEAD, no history, and free ports."""
    if COPY.exists():
        _stop_services(demo)
    shutil.rmtree(HOME, ignore_errors=True)
    COPY.mkdir(parents=True)
    archive = git.output("archive", git.head())
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        extract(tar, COPY)
    changed = git.changed()
    if changed:
        demo.print(f"The demonstration leaves out {len(changed)} file(s) that are not committed.")
    names = environments.names()
    demo.ports = dict(zip(names, _free_ports(len(names))))
    for name, port in demo.ports.items():
        folder = COPY / "environments" / name
        text = re.sub(
            r"(?m)^port:.*$", f"port: {port}", (folder / "settings.yaml").read_text("utf-8")
        )
        write(folder / "settings.yaml", text)
        write(folder / "release.yaml", none_yet())
    shutil.rmtree(COPY / CATALOGUE, ignore_errors=True)
    write(COPY / QUARANTINE, "# None yet.\n")
    demo.git("init", "--quiet", "--initial-branch", "main")
    demo.git("add", "--all")
    demo.git("commit", "--quiet", "--message", "Begin the demonstration")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _stop_services(demo: Demo) -> None:
    """Stop the services of the copy; never fails, since it also cleans up after failures."""
    command = [sys.executable, "-m", "mlops", "down"]
    subprocess.run(command, cwd=COPY, env=demo.environment, capture_output=True, check=False)


def to_production(demo: Demo) -> None:
    """Promote the package through every environment, with a load test in the middle ones."""
    names = environments.names()
    for name in names:
        load_test = ("loadtest",) if name in names[1:-1] else ()
        demo.run("promote", "deploy", *load_test, "--env", name)


def query_production(demo: Demo, count: int = 3) -> None:
    """Send production a few real rows and print its answers."""
    params = contract.params()
    columns = contract.columns(params.gate.cluster)
    newest = contract.team_data().partitions()[-1]
    frame = partitions.load([newest]).frame
    frame = frame.iloc[[len(frame) * (n + 1) // (count + 2) for n in range(count)]]
    rows = json.loads(frame[list(columns.features)].to_json(orient="records"))
    url = f"http://127.0.0.1:{demo.ports[environments.names()[-1]]}"
    answer = client.predict(url, rows, timeout=10)
    demo.print(f"POST {url}/predict with {count} rows of {newest}")
    for row, prediction, truth in zip(rows, answer["predictions"], frame[columns.targets[0]]):
        shown = ", ".join(f"{key} {value}" for key, value in list(row.items())[:6])
        demo.print(f"  {shown}, ...: {prediction['score']:.3f} ({columns.targets[0]} was {truth})")
    demo.print(f"answered by {answer['release_id']}")


def keep_report(name: str) -> None:
    """Save the report of the last run, before the next run replaces it."""
    for ending in ("md", "html"):
        shutil.copy(COPY / "build" / f"report.{ending}", HOME / f"{name}.{ending}")


def story(demo: Demo) -> bool:
    """Run all chapters; return whether a change was refused in them."""
    before, newest = _newest_two()
    demo.chapter("A first model: checked, trained, judged, packed")
    demo.edit_params({"last": before}, f"Begin with the data up to {before}")
    demo.run(*BUILD)
    demo.chapter("Its release moves from environment to environment, each time on evidence")
    to_production(demo)
    demo.chapter("Production answers")
    query_production(demo)

    demo.chapter(f"New data arrive: {newest}. The same road, now against the champion")
    demo.edit_params({"last": newest}, f"Adopt the data of {newest}")
    demo.run(*BUILD)
    keep_report("accepted")
    to_production(demo)

    demo.chapter("A change that is really worse is proposed, and refused")
    refused = refuse_worse(demo)

    demo.chapter("Production is rolled back to the release before, and the newer one quarantined")
    production = environments.names()[-1]
    rollback = ("rollback", "deploy", "--env", production, "--reason", "shown in the demonstration")
    demo.run(*rollback)
    demo.print(f"rolled back in {demo.seconds[' '.join(rollback)]:.1f} s")
    query_production(demo, count=1)
    demo.run("status")
    return refused


def _newest_two() -> tuple[str, str]:
    """Return the newest partition, which arrives in the demonstration, and the one before it."""
    partitions = list(contract.team_data().partitions())
    if len(partitions) < 3:
        raise UserError(
            "The demonstration needs three partitions: one to train on, one to judge on and one "
            f"that arrives. There are {', '.join(partitions) or 'none'} (data.partitions)."
        )
    return partitions[-2], partitions[-1]


def refuse_worse(demo: Demo) -> bool:
    """Propose an overfitted model, which the gate must refuse; return whether one was proposed.

    The parameters that overfit are known for the example's model only; another gets no proposal.
    """
    if not set(OVERFITTING) <= set(contract.team_model().Params.model_fields):
        demo.print("left out: this model has other parameters than the example's")
        return False
    demo.git("checkout", "--quiet", "-b", "worse")
    demo.edit_params(OVERFITTING, "Let every tree chase single flights")
    output = demo.run(*BUILD, expect=cli.FAIL)
    if "M107" not in output:
        raise DemoFailed("The worse model was refused, but not for being worse (M107).")
    keep_report("refused")
    demo.git("checkout", "--quiet", "main")
    return True


def summary(demo: Demo, services_run: bool, refused: bool) -> None:
    """Print in a few lines what happened and where to look."""
    home = HOME.relative_to(Path.cwd())
    demo.chapter("Done")
    refusal = " one change was refused," if refused else ""
    demo.print(f"two releases went to production,{refusal} one release was rolled back")
    demo.print(f"the report of the accepted change   {home}/accepted.html")
    if refused:
        demo.print(f"the report of the refused change    {home}/refused.html")
    demo.print(
        f"every promotion is a commit         git -C {COPY.relative_to(Path.cwd())} log --stat"
    )
    if services_run:
        for name, port in demo.ports.items():
            demo.print(f"{name:<35} http://127.0.0.1:{port}")
        demo.print(f"stop them with                      cd {COPY} && make down")
    else:
        demo.print("the services are stopped            make demo ARGS=--keep leaves them running")


def run(options: argparse.Namespace) -> int:
    """Run the demonstration and return an exit code of mlops.cli."""
    demo = Demo()
    try:
        demo.chapter("A temporary copy of this repository, so that yours stays unchanged")
        copy_here(demo)
        refused = story(demo)
    except DemoFailed as error:
        raise UserError(str(error)) from None
    except KeyboardInterrupt:
        print_error("stopped by the user; `make demo` begins anew.")
        return 130
    finally:
        if not options.keep and COPY.exists():
            _stop_services(demo)
    summary(demo, options.keep, refused)
    return cli.PASS
