"""Start a fork: make data/, model/, params.yaml and the first report of a table, in one command.

Reads CSV, Parquet or a folder of such files; infers the schema, the task and the partitions;
leaves out suspicious columns and names them; writes a baseline of scikit-learn with tests of its
own, and numbers for the gate that fit the noise of this table. Then it trains and judges. Replaces
only files that are still those of the template's example, unless --force. Exits as the gate.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlops import file_lock, git
from mlops.config.options import Option
from mlops.console import say
from mlops.errors import Refused, UserError
from mlops.paths import ENVIRONMENTS, PARAMS, REPORT_PAGE

if TYPE_CHECKING:
    from mlops.starting.infer import Inference
    from mlops.starting.model_files import StarterModel
    from mlops.starting.models import Trial
    from mlops.starting.table import SourceTable
    from mlops.starting.writing import Files

OPTIONS = (
    Option("--from", "the table: a .csv, .tsv or .parquet file, or a folder of them", "PATH"),
    Option(
        "--target",
        "the column to predict, or several: price, or width,height, or h[0-9]*",
        "COLUMN",
    ),
    Option("--time", "the column that orders the rows; none: they have no order", "COLUMN"),
    Option("--group", "the column whose rows depend on each other, such as a patient", "COLUMN"),
    Option("--model", "linear, trees, text, quantiles, xgboost or lightgbm", "KIND"),
    Option("--task", "binary, classes or amount, where the inference is wrong", "TASK"),
    Option("--force", "replace files that are not the template's example too", switch=True),
    Option("--no-lock", "leave the lock as it is", switch=True),
)
STEPS = ("check-data", "train", "evaluate", "report", "gate")
VERDICTS = {0: "PASS", 1: "FAIL", 3: "INCONCLUSIVE"}
LOCKS = (Path("requirements.txt"), Path("requirements-serve.txt"))
PROJECT = Path("pyproject.toml")
DOCKERFILE = Path("Dockerfile")


def run(options: argparse.Namespace) -> int:
    """Write the fork and judge its first model; finish a start that was cut short."""
    from mlops.starting import placing

    git.head()
    busy = Refused(f"another start holds {placing.LOCK}. Wait for it to end.")
    with file_lock.exclusive(placing.LOCK, busy):
        if placing.unfinished():
            say("start", "finishing the start that was cut short; its options are used, not these")
        else:
            _prepare(options)
        summary = placing.finish()
    say("start", "wrote data/, model/, tests/, params.yaml, README.md and the environments' names")
    locked = not options.no_lock and _lock()
    return _judge(summary, locked)


def _prepare(options: argparse.Namespace) -> None:
    """Read the table and decide about every file, without a change outside build/."""
    from mlops.starting import infer, models, placing, table
    from mlops.starting import task as tasks

    source, targets = _required(options)
    models.require_known(options.model)
    placing.require_outside(Path(source))
    placing.require_example([], options.force)
    say("start", f"reading {source}")
    rows = table.read(source)
    request = infer.Request(
        tasks.matching(targets, rows.frame),
        options.time,
        options.group,
        "quantiles" if options.model == "quantiles" else options.task,
        options.model == "text",
    )
    inference = infer.infer(rows, request)
    _explain(rows, inference)
    candidates = models.candidates(inference, options.model)
    _write(inference, candidates, Path(source).name, options.force)


def _write(
    inference: "Inference", candidates: "list[StarterModel]", source: str, force: bool
) -> None:
    from mlops.starting import advice, placing, writing

    (model, files, record, schema), comparison = _tried(inference, candidates, source, force)
    if comparison:
        say("", comparison)
    files |= writing.pages(inference, model, source, comparison) | _renamed(inference, model)
    files["params.schema.json"] = schema
    files[PARAMS.name] = writing.params(inference, model, source, record).encode()
    placing.decide(files, {"look_at": advice.look_at(inference, record, model.family)}, force)


def _tried(
    inference: "Inference", candidates: "list[StarterModel]", source: str, force: bool
) -> "tuple[Trial, str]":
    """Train each candidate, and return the best trial and the sentence that states why."""
    from mlops.starting import models, placing, trial, writing

    rows, trials = writing.partition_files(inference), []
    for model in candidates:
        files = rows | writing.code(inference, model, source)
        placing.require_example(list(files), force)
        say("start", f"trying {model.title}, for the numbers of the gate")
        trials.append((model, files, *trial.run(files, writing.trial_params(inference))))
    best = models.better(trials)
    return best, models.comparison([(one[0], one[2]) for one in trials], best[0])


def _required(options: argparse.Namespace) -> tuple[str, tuple[str, ...]]:
    source = getattr(options, "from")
    if not source or not options.target:
        raise UserError(
            "Name the table and the column to predict: make start FROM=houses.csv TARGET=price"
        )
    return source, tuple(name.strip() for name in options.target.split(",") if name.strip())


def _explain(table: "SourceTable", inference: "Inference") -> None:
    split, task = inference.partitioning, inference.task
    say("", f"{len(table.frame):,} rows, {len(table.frame.columns)} columns")
    say("", f"predicts {task.target}: {task.reason}")
    order = "no dates: made-up days" if split.made_up else f"ordered by {inference.roles.time}"
    say("", f"{len(split.names)} partitions, one for each {split.unit}; {order}")
    held_out, trained_on = int(split.held_out.sum()), int(split.trained_on.sum())
    say("", f"trains on {trained_on:,} rows, judges on the newest {held_out:,}")
    say("", f"{len(inference.features)} columns are features; left out:")
    for one in inference.screening.left_out or ():
        say("", f"  {one.column} ({one.kind}): {one.reason}")
    if not inference.screening.left_out:
        say("", "  none")
    for change in inference.changes:
        say("", f"  {change}")


def _renamed(inference: "Inference", model: "StarterModel") -> "Files":
    """Return the environments' files with the new name, pyproject.toml and the Dockerfile."""
    from mlops.starting import project, writing

    old = writing.name_in(PARAMS.read_text(encoding="utf-8"))
    paths = [path for path in ENVIRONMENTS.rglob("*.yaml") if "releases" not in path.parts]
    renamed = {
        path.as_posix(): text
        for path in sorted(paths)
        if (text := writing.adapted(path, old, inference.name)) is not None
    }
    if PROJECT.exists():
        text = project.edited(PROJECT.read_text(encoding="utf-8"), inference.name, model.serve)
        renamed[PROJECT.name] = text.encode()
    if DOCKERFILE.exists():
        text = project.dockerfile(DOCKERFILE.read_text(encoding="utf-8"), model.serve)
        renamed[DOCKERFILE.name] = text.encode()
    return renamed


def _lock() -> bool:
    """Run `make lock`, and return whether it worked; without it the old lock stays."""
    before = {path: path.read_bytes() for path in LOCKS if path.exists()}
    say("start", "make lock: what the model imports is locked and installed")
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS")}
    command = ["make", "--no-print-directory", "lock"]
    if Path(sys.prefix) != Path(".venv").absolute():
        command.append(f"VENV={sys.prefix}")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return True
    for path, content in before.items():
        path.write_bytes(content)
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    say("", f"it failed, so the old lock stays: {' '.join(last)}")
    return False


def _judge(summary: dict, locked: bool) -> int:
    from mlops.starting import placing, trial

    code = trial.steps(*STEPS).returncode
    if code in VERDICTS:
        placing.judged()
    verdict = VERDICTS.get(code, "none: a step failed")
    say("start", f"verdict {verdict}; the report is {REPORT_PAGE}")
    say("", "look at:")
    for number, remark in enumerate(summary["look_at"], 1):
        say("", f"  {number}. {remark}")
    first = "" if locked else "make lock, then "
    say("next", f"{first}git add and commit, make test, make package promote deploy ENV=dev")
    return code
