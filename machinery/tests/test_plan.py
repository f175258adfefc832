"""The plan: what a change needs, and where a model is trained."""

import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from http.client import IncompleteRead
from pathlib import Path
from types import SimpleNamespace

import pytest

from machinery.tests.github_api.standin import Fault
from mlops.ci import last_success, plan
from mlops.errors import UserError
from mlops.steps import plan as step

ROOT = Path.cwd()
NOTHING_INSTALLED = (sys.executable, "-S", "-m", "mlops")


@pytest.mark.parametrize(
    ("changed", "pythons", "train"),
    [
        (["README.md", "model/README.md"], "none", False),
        (["tests/model/test_model.py"], "all", False),
        (["loadtests/locustfile.py"], "all", False),
        (["environments/dev/release.yaml", "environments/releases/0001.yaml"], "none", False),
        (["environments/dev/release.yaml", "README.md"], "none", False),
        (["environments/staging/policy.yaml"], "none", False),
        (["environments/base/deployment.yaml"], "none", False),
        ([".github/dependabot.yml", ".github/CODEOWNERS"], "none", False),
        ([".github/ISSUE_TEMPLATE/model.yml", ".github/PULL_REQUEST_TEMPLATE.md"], "none", False),
        ([".github/settings/settings.yaml", ".github/settings/rulesets/main.json"], "none", False),
        ([".pre-commit-config.yaml", ".gitignore"], "none", False),
        (["environments/waivers.yaml"], "none", True),
        (["params.yaml"], "one", True),
        (["params.yaml", "model/features.py"], "all", True),
        (["data/partitions/flights-2013-12.parquet", "params.yaml"], "one", True),
        (["data/schema.py"], "one", True),
        (["README.md", "requirements.txt"], "all", True),
        (["machinery/docs/gate.md"], "all", False),
        (["machinery/tests/test_plan.py", "machinery/CHANGELOG.md"], "all", False),
        (["machinery/mlops/serving/service.py"], "all", True),
        (["machinery/pyproject.toml"], "all", True),
        ([".github/workflows/ci.yml"], "all", True),
        (["something/new"], "all", True),
        (["machinery/docs"], "all", True),
        ([], "all", True),
    ],
)
def test_what_a_change_needs(changed, pythons, train):
    """In a fork whose machinery is as released."""
    work = plan.work(changed)
    assert (work.pythons, work.train) == (pythons, train)


@pytest.mark.parametrize(
    ("changed", "pythons", "train"),
    [
        (["README.md"], "all", False),
        (["params.yaml"], "all", True),
        (["environments/waivers.yaml"], "all", True),
        (["environments/dev/release.yaml"], "none", False),
    ],
)
def test_a_machinery_that_is_not_as_released_is_tested_with_every_change(changed, pythons, train):
    """Its tests read most files; a release that moves changes none of them."""
    work = plan.work(changed, as_released=False)
    assert (work.pythons, work.train) == (pythons, train)


def test_every_file_of_this_tree_is_planned_for():
    """What needs least is listed; nothing of the model or the machinery is among it."""
    names = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
    code = [
        name
        for name in names.splitlines()
        if name.startswith(("machinery/mlops/", "model/", "data/"))
    ]
    cheap = [name for name in code if not plan.work([name]).train]
    assert [name for name in cheap if not name.endswith(".md")] == []


@pytest.mark.parametrize("variable", ["gpu", "[]", '"gpu"', "[1]", '[""]', "{}", "[gpu]"])
def test_a_variable_that_names_no_runner_is_a_mistake(variable):
    with pytest.raises(UserError, match=r"GPU_RUNNER is .* JSON list of the labels"):
        plan.training_runner(variable, trusted=True)


def test_a_runner_of_ours_is_for_us_only():
    labels = '["self-hosted", "gpu"]'
    assert plan.training_runner(labels, trusted=True).labels == ("self-hosted", "gpu")
    assert plan.training_runner(labels, trusted=True).device == "gpu"
    assert plan.training_runner(labels, trusted=False) == plan.TrainingRunner(
        plan.HOSTED, "cpu", "code from a fork or Dependabot does not reach a runner of your own"
    )
    assert plan.training_runner(" ", trusted=True).labels == plan.HOSTED


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


def pythons(project):
    """The Pythons that a pyproject.toml names."""
    return plan.python_versions(step.tomllib.loads(project))


def test_the_pythons_are_those_of_pyproject():
    """One list for the tests on a laptop and on GitHub."""
    listed = subprocess.run(
        ["make", "--no-print-directory", "-f", "-", "shown"],
        input="include Makefile\nshown:\n\t@echo $(TESTED)\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.split() == pythons(Path("pyproject.toml").read_text("utf-8"))


@pytest.mark.example
def test_the_oldest_python_is_the_one_required():
    text = Path("pyproject.toml").read_text("utf-8")
    assert f'requires-python = ">={pythons(text)[0]}"' in text


def test_no_python_is_a_mistake():
    with pytest.raises(UserError, match="names no Python to test on"):
        plan.python_versions({"project": {"classifiers": ["Programming Language :: Python :: 3"]}})


@pytest.fixture
def planned(tmp_path):
    """A function that plans in a repository of two commits, on a Python without packages."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (folder / ".github").mkdir()
    (folder / ".github/CODEOWNERS").write_text("* @octocat\n", "utf-8")
    me = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "Begin"]):
        subprocess.run(["git", *me, *command], cwd=folder, check=True)
    (folder / "machinery/docs").mkdir(parents=True)
    (folder / "machinery/docs/new | name.md").touch()
    for command in (["add", "."], ["commit", "-qm", "Change"]):
        subprocess.run(["git", *me, *command], cwd=folder, check=True)

    def run(**environment):
        (tmp_path / "o").write_text("", "utf-8")
        out = {"GITHUB_OUTPUT": str(tmp_path / "o"), "GITHUB_STEP_SUMMARY": str(tmp_path / "s")}
        done = subprocess.run(
            [*NOTHING_INSTALLED, "plan"],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "machinery"),
                **out,
                **environment,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        base = ["git", "rev-parse", "HEAD~1"]
        run.base = subprocess.run(base, cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout, (tmp_path / "o").read_text("utf-8")

    run.folder, run.git = folder, lambda *command: subprocess.run(
        ["git", *me, *command], cwd=folder, check=True, capture_output=True, text=True
    )
    return run


def test_a_base_is_compared_with(planned):
    planned()
    output, outputs = planned(BASE_SHA=planned.base.stdout.strip())
    assert "no file that a model is made from changed (1 file)" in output
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
    output, _ = planned(GITHUB_EVENT_PATH=str(tmp_path / "event.json"))
    assert "no file that a model is made from changed" in output


@pytest.fixture
def push(planned, github, tmp_path):
    """A function that plans a push after which docs/ differ from what a run succeeded for."""
    planned()
    github.workflows["release.yml"] = {}
    variables = {
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_WORKFLOW_REF": f"{github.repository}/.github/workflows/release.yml@refs/heads/main",
    }

    def run(**fields):
        event = {"ref": "refs/heads/main", "before": "2" * 40} | fields
        (tmp_path / "event.json").write_text(json.dumps(event), "utf-8")
        return planned(**github.environment(), **variables)

    run.begin, run.folder, run.git = planned.base.stdout.strip(), planned.folder, planned.git
    return run


def ended(github, *runs):
    """Let GitHub know of runs of the release workflow, newest first: event, conclusion, commit."""
    for number, (event, conclusion, commit) in enumerate(runs):
        facts = {"id": number, "workflow": "release.yml", "head_branch": "main", "event": event}
        github.runs.append(facts | {"conclusion": conclusion, "head_sha": commit})


@pytest.mark.parametrize("conclusion", ["failure", "cancelled"])
def test_what_a_run_did_not_end_is_planned_for_again(push, github, conclusion):
    """Nothing differs from what was pushed before, whose run failed or gave way to this one."""
    ended(github, ("push", conclusion, "3" * 40), ("push", "success", push.begin))
    output, outputs = push()
    assert "no file that a model is made from changed (1 file)" in output
    assert re.search(r"(?m)^run-release<<.*\nfalse$", outputs)


@pytest.mark.parametrize("owners", [None, "", "# * @octocat\n#*   @OWNER\n", "/docs/\n"])
def test_a_copy_that_nobody_has_taken_over_makes_no_release(push, tmp_path, owners):
    """*Use this template* fires a push at once, before anybody has read what it publishes."""
    file = push.folder / ".github/CODEOWNERS"
    file.unlink()
    if owners is not None:
        file.write_text(owners, "utf-8")
    output, outputs = push()
    assert re.search(r"(?m)^run-release<<.*\nfalse$", outputs)
    assert re.search(r"(?m)^run-tests<<.*\ntrue$", outputs)
    for text in (output, (tmp_path / "s").read_text("utf-8")):
        assert 'nobody has taken this copy over. Run make github-setup ARGS="--apply"' in text


@pytest.mark.parametrize("owner", ["@octocat", "@our-org/ml-team", "someone@example.org"])
def test_the_push_that_names_an_owner_makes_the_first_release(push, github, owner):
    """The run before it succeeded, and released nothing: what was there then is still to be."""
    file = push.folder / ".github/CODEOWNERS"
    for text in ("#*  @OWNER\n", f"#*  @OWNER\n/model/  {owner}\n"):
        file.write_text(text, "utf-8")
        push.git("commit", "-qam", "Owners")
    ended(github, ("push", "success", push.git("rev-parse", "HEAD~1").stdout.strip()))
    output, outputs = push()
    assert "nothing was released before this copy had an owner" in output
    assert re.search(r"(?m)^run-release<<.*\ntrue$", outputs)
    ended(github, ("push", "success", push.git("rev-parse", "HEAD").stdout.strip()))
    github.runs.reverse()
    push.git("commit", "-qm", "Nothing", "--allow-empty")
    (push.folder / "README.md").touch()
    push.git("add", ".")
    push.git("commit", "-qm", "A page")
    assert re.search(r"(?m)^run-release<<.*\nfalse$", push()[1])


def test_a_fork_s_branch_of_the_same_name_is_not_this_one(push, github):
    ended(github, ("pull_request", "success", "3" * 40), ("push", "success", push.begin))
    assert "(1 file)" in push()[0]


def test_a_push_after_no_success_needs_everything_but_a_verdict(push):
    """It was judged before it was merged; what it makes is a release."""
    output, outputs = push()
    assert "everything is needed: there is no commit to compare with" in output
    assert re.search(r"(?m)^run-release<<.*\ntrue$", outputs)
    assert re.search(r"(?m)^run-train<<.*\nfalse$", outputs)


def test_where_github_does_not_say_everything_is_needed(push, github):
    github.faults.append(Fault("GET", "/runs$", 502))
    assert "everything is needed: GitHub does not report when release.yml last" in push()[0]


@pytest.mark.parametrize("answer", [b"[]", None])
def test_an_answer_of_github_s_that_is_none_needs_everything(github, monkeypatch, answer):
    """Another JSON, as of a proxy, or one that broke off half-way."""
    for name, value in github.environment().items():
        monkeypatch.setenv(name, value)

    def read():
        if answer is None:
            raise IncompleteRead(b'{"workflow_')
        return answer

    response = nullcontext(SimpleNamespace(read=read))
    monkeypatch.setattr(last_success, "urlopen", lambda *_, **__: response)
    with pytest.raises(UserError, match="GitHub does not report when"):
        last_success.last_success("refs/heads/main")


def test_a_push_to_a_pull_request_is_none_to_main(push):
    """Such an event has a `before` too."""
    us = {"full_name": "us/flights"}
    pull_request = {"base": {"sha": push.begin}, "head": {"repo": us}}
    output, _ = push(pull_request=pull_request, repository=us)
    assert "no file that a model is made from changed (1 file)" in output


def test_a_name_is_neither_a_command_nor_markup():
    """A file may be called anything, and its name is printed in a log and on a page."""
    line = step._safe("x\n::error::no`|</code>![](y)*@all")  # pylint: disable=protected-access
    assert set(line).isdisjoint("\n`|<>[]!*@#")
