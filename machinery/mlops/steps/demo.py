"""Show a model's whole life on the example, in a throw-away copy below build/demo.

Everything shown is the real thing: the steps anybody runs, real commits, real services and load on
this machine. The user's checkout, its history and its build/ stay as they are.
"""

import argparse
import io
import json
import os
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
from mlops.console import complain
from mlops.errors import UserError
from mlops.files import write
from mlops.paths import IN_TREE
from mlops.releases import environments
from mlops.releases.quarantine import QUARANTINE
from mlops.releases.release import CATALOGUE, none_yet
from mlops.serving import client
from mlops.training import contract

OPTIONS = (Option("--keep", "leave the services running", switch=True),)
HOME = Path("build/demo").absolute()
COPY = HOME / "repository"
BUILD = ("check-data", "train", "evaluate", "report", "gate", "package")
# An overfitted model: each tree may chase single flights, and nothing holds it back.
WORSE = {
    "n_estimators": 300,
    "learning_rate": 0.3,
    "min_child_weight": 1.0,
    "subsample": 1.0,
    "colsample_bytree": 1.0,
}


class Failed(Exception):
    """A step of the demonstration ended otherwise than it must."""


class Demo:
    """Runs steps in the copy, shows what they say and remembers how long they took."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._chapter = 0
        self.seconds: dict[str, float] = {}
        self.ports: dict[str, int] = {}
        identity = {"NAME": "demo", "EMAIL": "demo@localhost"}
        people = {
            f"GIT_{who}_{k}": v for who in ("AUTHOR", "COMMITTER") for k, v in identity.items()
        }
        # The copy's code runs, with the libraries installed here.
        self.environment = (
            os.environ
            | people
            | {
                "PYTHONUNBUFFERED": "1",
                "PYTHONPATH": str(COPY / IN_TREE.parent),
            }
        )

    def chapter(self, title: str) -> None:
        """Announce the next part."""
        self._chapter += 1
        print(f"\n{self._elapsed()}  {self._chapter}. {title}", flush=True)

    def tell(self, text: str) -> None:
        """Show a line of the demonstration's own."""
        print(f"        {text}", flush=True)

    def run(self, *words: str, expect: int = cli.PASS) -> str:
        """Run steps in the copy, show and return what they print; raises Failed on another exit."""
        self.tell(f"$ python -m mlops {' '.join(w if ' ' not in w else repr(w) for w in words)}")
        start, printed = time.perf_counter(), []
        command = [sys.executable, "-m", "mlops", *words]
        with subprocess.Popen(
            command,
            cwd=COPY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout:
                printed.append(line)
                if line.strip():
                    self.tell(f"  {line.rstrip()}")
        self.seconds[" ".join(words)] = time.perf_counter() - start
        if process.returncode != expect:
            raise Failed(
                f"`{' '.join(command[1:])}` ended with {process.returncode}, not {expect}. "
                f"Look into {COPY}."
            )
        return "".join(printed)

    def edit_params(self, values: dict[str, object], message: str) -> None:
        """Change values in the copy's params.yaml and commit, as a pull request would."""
        path = COPY / "params.yaml"
        text = path.read_text(encoding="utf-8")
        for key, value in values.items():
            self.tell(f"params.yaml: {key} becomes {value}")
            text, count = re.subn(rf"(?m)^(\s*{key}:).*$", rf"\1 {value}", text)
            if count != 1:
                raise Failed(f"{path} holds {count} lines with the key {key}, not one.")
        if text != path.read_text(encoding="utf-8"):
            write(path, text)
            self.git("commit", "--quiet", "--all", "--message", message)

    def git(self, *words: str) -> None:
        """Run git in the copy."""
        subprocess.run(["git", *words], cwd=COPY, env=self.environment, check=True)

    def _elapsed(self) -> str:
        return f"{time.perf_counter() - self._start:5.0f} s"


def copy_here(demo: Demo) -> None:
    """Make a repository of what HEAD holds, without its past, with ports of its own."""
    if COPY.exists():
        _take_down(demo)
    shutil.rmtree(HOME, ignore_errors=True)
    COPY.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", git.head()], stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(COPY, filter="data")
    changed = git.changed()
    if changed:
        demo.tell(f"{len(changed)} file(s) not committed here are not part of the demonstration.")
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


def _take_down(demo: Demo) -> None:
    """Stop what the copy's environments run; never fails, for it cleans up after failures."""
    command = [sys.executable, "-m", "mlops", "down"]
    subprocess.run(command, cwd=COPY, env=demo.environment, capture_output=True, check=False)


def to_production(demo: Demo) -> None:
    """Promote what was packaged through every environment, load tested where policy asks for it."""
    names = environments.names()
    for name in names:
        tested = ("loadtest",) if name in names[1:-1] else ()
        demo.run("promote", "deploy", *tested, "--env", name)


def ask(demo: Demo, count: int = 3) -> None:
    """Send production a few real rows and show its answers."""
    params = contract.params()
    columns = contract.columns(params.gate.cluster)
    newest = contract.team_data().partitions()[-1]
    frame = contract.load([newest]).frame
    frame = frame.iloc[[len(frame) * (n + 1) // (count + 2) for n in range(count)]]
    rows = json.loads(frame[list(columns.features)].to_json(orient="records"))
    url = f"http://127.0.0.1:{demo.ports[environments.names()[-1]]}"
    answer = client.predict(url, rows, timeout=10)
    demo.tell(f"POST {url}/predict with {count} rows of {newest}")
    for row, prediction, truth in zip(rows, answer["predictions"], frame[columns.target]):
        shown = ", ".join(f"{key} {value}" for key, value in list(row.items())[:6])
        demo.tell(f"  {shown}, ...: {prediction['score']:.3f} ({columns.target} was {truth})")
    demo.tell(f"answered by {answer['release_id']}")


def keep_report(name: str) -> None:
    """Copy the report of the last run out of the copy, where the next run would replace it."""
    for ending in ("md", "html"):
        shutil.copy(COPY / "build" / f"report.{ending}", HOME / f"{name}.{ending}")


def story(demo: Demo) -> bool:
    """Tell the whole life, chapter by chapter; return whether a change was refused in it."""
    before, newest = _newest_two()
    demo.chapter("A first model: checked, trained, judged, packed")
    demo.edit_params({"last": before}, f"Begin with the data up to {before}")
    demo.run(*BUILD)
    demo.chapter("Its release moves from environment to environment, each time on evidence")
    to_production(demo)
    demo.chapter("Production answers")
    ask(demo)

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
    demo.tell(f"rolled back in {demo.seconds[' '.join(rollback)]:.1f} s")
    ask(demo, count=1)
    demo.run("status")
    return refused


def _newest_two() -> tuple[str, str]:
    """Return the newest partition, which arrives in the demonstration, and the one before it."""
    known = list(contract.team_data().partitions())
    if len(known) < 3:
        raise UserError(
            "The demonstration needs three partitions: one to train on, one to judge on and one "
            f"that arrives. There are {', '.join(known) or 'none'} (data.partitions)."
        )
    return known[-2], known[-1]


def refuse_worse(demo: Demo) -> bool:
    """Propose an overfitted model, which the gate must refuse for being worse; say whether it was.

    With another model than the example's nobody knows what would overfit, and nothing is proposed.
    """
    if not set(WORSE) <= set(contract.team_model().Params.model_fields):
        demo.tell("left out: the parameters that overfit the example are not those of this model")
        return False
    demo.git("checkout", "--quiet", "-b", "worse")
    demo.edit_params(WORSE, "Let every tree chase single flights")
    refused = demo.run(*BUILD, expect=cli.FAIL)
    if "M107" not in refused:
        raise Failed("The worse model was refused, but not for being worse (M107).")
    keep_report("refused")
    demo.git("checkout", "--quiet", "main")
    return True


def summary(demo: Demo, kept: bool, refused: bool) -> None:
    """Say in a few lines what was shown and where to look."""
    here = HOME.relative_to(Path.cwd())
    demo.chapter("Done")
    one = " one change was refused," if refused else ""
    demo.tell(f"two releases went to production,{one} one release was rolled back")
    demo.tell(f"the report of the accepted change   {here}/accepted.html")
    if refused:
        demo.tell(f"the report of the refused change    {here}/refused.html")
    demo.tell(
        f"every promotion is a commit         git -C {COPY.relative_to(Path.cwd())} log --stat"
    )
    if kept:
        for name, port in demo.ports.items():
            demo.tell(f"{name:<35} http://127.0.0.1:{port}")
        demo.tell(f"stop them with                      cd {COPY} && make down")
    else:
        demo.tell("the services are stopped            make demo ARGS=--keep leaves them running")


def run(options: argparse.Namespace) -> int:
    """Run the demonstration and return an exit code of mlops.cli."""
    demo = Demo()
    try:
        demo.chapter("A throw-away copy of this repository, so that yours stays as it is")
        copy_here(demo)
        refused = story(demo)
    except Failed as error:
        raise UserError(str(error)) from None
    except KeyboardInterrupt:
        complain("stopped by the user; `make demo` begins anew.")
        return 130
    finally:
        if not options.keep and COPY.exists():
            _take_down(demo)
    summary(demo, options.keep, refused)
    return cli.PASS
