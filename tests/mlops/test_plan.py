"""The plan: what a change needs, and where a model is trained."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlops.ci import plan
from mlops.errors import UserError
from mlops.steps import plan as step

ROOT = Path.cwd()
NOTHING_INSTALLED = (sys.executable, "-S", "-m", "mlops")


@pytest.mark.parametrize(
    ("changed", "tests", "train", "image"),
    [
        (["docs/gate.md", "model/README.md"], True, False, False),
        (["tests/model/test_model.py"], True, False, False),
        (["environments/dev/release.yaml", "environments/releases/0001.yaml"], False, False, False),
        (["environments/dev/release.yaml", "docs/gate.md"], True, False, False),
        (["environments/staging/policy.yaml"], True, False, False),
        (["environments/base/deployment.yaml"], True, False, False),
        (["environments/waivers.yaml"], True, True, False),
        (["model/features.py"], True, True, False),
        (["data/partitions/flights-2013-12.parquet", "params.yaml"], True, True, False),
        (["docs/gate.md", "requirements.txt"], True, True, True),
        (["mlops/serving/service.py"], True, True, True),
        ([".github/workflows/ci.yml"], True, True, True),
        (["something/new"], True, True, True),
        (["docs"], True, True, True),
        ([], True, True, True),
    ],
)
def test_what_a_change_needs(changed, tests, train, image):
    found = plan.work(changed)
    assert (found.tests, found.train, found.image) == (tests, train, image)


def test_every_file_of_this_tree_is_planned_for():
    """What needs least is listed; nothing of the model or the machinery is among it."""
    names = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
    code = [name for name in names.splitlines() if name.startswith(("mlops/", "model/", "data/"))]
    cheap = [name for name in code if not plan.work([name]).train]
    assert [name for name in cheap if not name.endswith(".md")] == []


@pytest.mark.parametrize("variable", ["gpu", "[]", '"gpu"', "[1]", '[""]', "{}", "[gpu]"])
def test_a_variable_that_names_no_runner_is_a_mistake(variable):
    with pytest.raises(UserError, match=r"GPU_RUNNER is .* JSON list of the labels"):
        plan.place(variable, trusted=True)


def test_a_runner_of_ours_is_for_us_only():
    labels = '["self-hosted", "gpu"]'
    assert plan.place(labels, trusted=True).runner == ("self-hosted", "gpu")
    assert plan.place(labels, trusted=True).device == "gpu"
    assert plan.place(labels, trusted=False) == plan.Place(
        plan.HOSTED, "cpu", "code from a fork or Dependabot does not reach a runner of your own"
    )
    assert plan.place(" ", trusted=True).runner == plan.HOSTED


@pytest.mark.parametrize(
    ("head", "trusted"),
    [
        ({"repo": {"full_name": "us/flights"}}, True),
        ({"repo": {"full_name": "them/flights"}}, False),
        ({"repo": None}, False),
        ({}, False),
    ],
)
def test_who_wrote_it(head, trusted):
    """A fork that was deleted meanwhile is a stranger too."""
    event = {"pull_request": {"head": head}, "repository": {"full_name": "us/flights"}}
    assert plan.trusted(event) is trusted


def test_what_dependabot_brings_is_a_strangers():
    """Its branch is one of ours, its code is not."""
    change = {"head": {"repo": {"full_name": "us/flights"}}, "user": {"login": "dependabot[bot]"}}
    event = {"pull_request": change, "repository": {"full_name": "us/flights"}}
    assert not plan.trusted(event)
    assert plan.trusted({**event, "pull_request": {**change, "user": {"login": "ada"}}})


def test_the_pythons_are_those_of_pyproject():
    """One list for the tests on a laptop and on GitHub; requires-python is its oldest."""
    listed = subprocess.run(
        ["make", "--no-print-directory", "-f", "-", "shown"],
        input="include Makefile\nshown:\n\t@echo $(TESTED)\n",
        capture_output=True,
        text=True,
        check=True,
    )
    pythons = plan.python_versions(step.tomllib.loads(Path("pyproject.toml").read_text("utf-8")))
    assert listed.stdout.split() == pythons
    assert f'requires-python = ">={pythons[0]}"' in Path("pyproject.toml").read_text("utf-8")


def test_no_python_is_a_mistake():
    with pytest.raises(UserError, match="names no Python to test on"):
        plan.python_versions({"project": {"classifiers": ["Programming Language :: Python :: 3"]}})


@pytest.fixture
def planned(tmp_path):
    """A function that plans in a repository of two commits, on a Python without packages."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    me = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Begin"]):
        subprocess.run(["git", *me, *words], cwd=folder, check=True)
    (folder / "docs").mkdir()
    (folder / "docs/new | name.md").touch()
    for words in (["add", "."], ["commit", "-qm", "Change"]):
        subprocess.run(["git", *me, *words], cwd=folder, check=True)

    def run(**environment):
        out = {"GITHUB_OUTPUT": str(tmp_path / "o"), "GITHUB_STEP_SUMMARY": str(tmp_path / "s")}
        done = subprocess.run(
            [*NOTHING_INSTALLED, "plan"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **out, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        base = ["git", "rev-parse", "HEAD~1"]
        run.base = subprocess.run(base, cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout, (tmp_path / "o").read_text("utf-8")

    return run


def test_a_base_is_compared_with(planned):
    planned()
    told, outputs = planned(BASE_SHA=planned.base.stdout.strip())
    assert "nothing that a model is made from changed (1 file)" in told
    assert re.search(r"(?m)^run-train<<.*\nfalse$", outputs)


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({}, "there is no commit to compare with"),
        ({"BASE_SHA": "0" * 40}, "there is no commit to compare with"),
        ({"BASE_SHA": "--output=x"}, "there is no commit to compare with"),
        ({"BASE_SHA": "1" * 40}, "git cannot compare with 1111"),
        ({"FORCE": "true"}, "it was asked for"),
    ],
)
def test_in_doubt_everything_is_needed(planned, environment, why):
    assert f"everything is needed: {why}" in planned(**environment)[0]


def test_the_event_names_the_base(planned, tmp_path):
    planned()
    sha = planned.base.stdout.strip()
    event = {"pull_request": {"base": {"sha": sha}}, "repository": {"full_name": "us/flights"}}
    (tmp_path / "event.json").write_text(json.dumps(event), "utf-8")
    told, _ = planned(GITHUB_EVENT_PATH=str(tmp_path / "event.json"))
    assert "nothing that a model is made from changed" in told


def test_a_name_is_neither_a_command_nor_markup():
    """A file may be called anything, and its name is told in a log and on a page."""
    told = step._safe("x\n::error::no`|</code>![](y)*@all")  # pylint: disable=protected-access
    assert set(told).isdisjoint("\n`|<>[]!*@#")
