"""What happens to a pull request, executed: who is green, who is red and why, what is left out."""

import json
import re
import subprocess
import sys

import pytest

from machinery.tests.workflows.repositories import copy

EVERY_JOB = (
    "Plan / what is needed",
    "Lint",
    "Test (3.11)",
    "Test (3.12)",
    "Train / candidate",
    "all-green",
)
# A number means the same to every Python.
FOR_A_PARAMETER = tuple(name for name in EVERY_JOB if name != "Test (3.12)")
SECRETS = {"DEPLOY_KEY": "canary-of-the-owner", "APP_PRIVATE_KEY": "canary-of-the-app"}
GPU = {"GPU_RUNNER": '["self-hosted", "gpu"]'}

pytestmark = pytest.mark.slow


def answer(repository, **options):
    """Open a pull request with what was changed, and return what it is answered with."""
    event = repository.pull_request(fork=options.pop("fork", False))
    return repository.act("pull_request", event, "ci.yml", **options)


def queued(repository):
    """Let the merge queue ask about what was changed, and return what it is answered with."""
    event = repository.merge_group()
    group = event["merge_group"]
    # act takes the commit from no event of this name.
    place = {"GITHUB_SHA": group["head_sha"], "GITHUB_REF": group["head_ref"]}
    return repository.act("merge_group", event, "ci.yml", environment=place)


@pytest.fixture(scope="module")
def hostile(seed, tmp_path_factory):
    """An innocent change to the model by somebody whose every word is a command."""
    home = tmp_path_factory.mktemp("hostile") / "home"
    repository = copy(seed, home)
    run = f"touch${{IFS}}{home}/pwned"
    repository.git("checkout", "--quiet", "-b", f'change";{run};"$({run})`{run}`')
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    repository.write(f"$({run})\n::error::pwned</code>", "Hello")
    words = f"\"; {run}; echo '$({run})' `{run}`\n::set-output name=run-train::false\n"
    event = repository.pull_request(title=words + "${{ secrets.DEPLOY_KEY }}")
    run = repository.act("pull_request", event, "ci.yml", native=True, secrets=SECRETS)
    return repository, run


def test_an_innocent_change_is_green(hostile):
    """Every job really ran, called by act as GitHub calls it."""
    hostile[1].require(*EVERY_JOB)


def test_words_of_strangers_are_never_run(hostile):
    """Title, message, branch and file name hold commands in every quoting."""
    repository, run = hostile
    assert not (repository.home / "pwned").exists()
    assert not re.search(r"(?m)^\W*::error::pwned", run.log)
    assert not [name for name, text in run.environments.items() if "canary" in text]


def test_the_report_is_on_the_page_of_the_run(hostile):
    """Whoever may read the run reads the verdict and the metrics; no comment is needed."""
    summary = hostile[1].summary
    assert "## ✓ Pass" in summary and "mean absolute error" in summary


def test_the_report_is_an_artifact(hostile):
    """With the numbers as data, for those who post it from another run."""
    names = {path.name for path in hostile[1].artifact("report").iterdir()}
    assert names == {"report.md", "report.html", "verdict.json", "record.json", "data-check.json"}


def test_a_pull_request_fills_no_cache(hostile):
    """What it would put there, main would install; the name is the lock's, not the branch's."""
    repository, run = hostile
    uses = [one for one in run.actions if one["action"].startswith("actions/cache/")]
    assert {one["action"] for one in uses} == {"actions/cache/restore"}
    keys = [one["inputs"]["key"].rsplit("-", 1) for one in uses]
    assert {name for name, _ in keys} == {"uv-Linux-X64-3.11", "uv-Linux-X64-3.12"}
    assert {len(digest) for _, digest in keys} == {64}
    assert not (repository.home / "caches").exists()


def test_main_fills_the_cache_and_trains_nothing(repository):
    """What is merged was judged, and a release trains it anew; the next run finds what was kept."""
    (repository.home / ".cache/uv").mkdir(parents=True)
    (repository.home / ".cache/uv/wheel").write_text("of the lock", "utf-8")
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    repository.commit()
    # A new copy's first push has nothing before it that a release could have been moved from.
    run = repository.act("push", repository.push() | {"before": "0" * 40}, "ci.yml")
    run.require("Lint", "Test (3.11)", "Test (3.12)", "all-green")
    assert (
        "| train | skipped, as planned |" in run.summary and "Train / candidate" not in run.results
    )
    kept = [path.name for path in (repository.home / "caches").glob("uv-Linux-X64-3.1[12]-*/wheel")]
    assert kept == ["wheel", "wheel"]


def test_a_worse_model_is_red_with_the_rule(repository):
    """The report is there all the same, and says which rule refused it."""
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 90000")
    run = answer(repository)
    assert run.results["Train / candidate"] == run.results["all-green"] == "failure"
    assert "### Gate: fail\n\n" in run.summary and "(M103 " in run.summary
    assert json.loads((run.artifact("report") / "verdict.json").read_text())["verdict"] == "fail"
    assert {"record.json", "data-check.json", "models"} == {
        path.name for path in run.artifact("run").iterdir()
    }


def test_in_the_merge_queue_an_innocent_change_is_green_and_nothing_is_posted(repository):
    """Compared with what it is queued behind; there is no pull request to comment on."""
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    run = queued(repository)
    run.require(*FOR_A_PARAMETER)
    assert set(run.results) == {*FOR_A_PARAMETER}
    assert "params.yaml changed (1 file)" in run.summary and "## ✓ Pass" in run.summary


def test_in_the_merge_queue_a_worse_model_is_red_with_the_rule(repository):
    """A change that was green alone may be worse on top of another."""
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 90000")
    run = queued(repository)
    assert run.results["Train / candidate"] == run.results["all-green"] == "failure"
    assert (
        "### Gate: fail\n\n" in run.summary
        and "(M103 " in run.summary
        and "Comment / post" not in run.results
    )


def test_too_little_evidence_is_red_and_says_so(repository):
    """Two groups are too few to judge by: neither a yes nor a no."""
    repository.edit("params.yaml", "gate:", "gate:\n  cluster: zone")
    run = answer(repository)
    assert run.results["all-green"] == "failure"
    assert re.search(r"### Gate: inconclusive\n\n.*\(M105", run.summary)


def test_bad_data_are_red_with_the_rule(repository):
    """Nothing is trained on them, nothing reported, and there is no report to post."""
    repository.edit("data/__init__.py", "return rows, f", "return rows[rows['km'] > 15], f")
    repository.edit("data/__init__.py", "uniform(1, 20", "uniform(1, 20 - 4 * (number == 3)")
    run = answer(repository)
    assert run.results["Train / candidate"] == run.results["all-green"] == "failure"
    assert "### Data check: fail\n\nD1" in run.summary
    assert {"Train", "Report"}.isdisjoint(run.jobs["Train / candidate"].steps)
    assert not run.artifact("report").exists() and not run.artifact("run").exists()


def test_a_change_to_the_documentation_trains_nothing(repository):
    """The tests read the pages; a skip that the plan announces is green."""
    repository.write("machinery/docs/more.md", "More")
    run = answer(repository)
    run.require("Lint", "Test (3.11)", "all-green")
    assert "Train / candidate" not in run.results
    assert "| train | skipped, as planned |" in run.summary


def test_a_broken_test_is_red(repository):
    repository.write("tests/test_it.py", "def test_it():\n    assert False\n")
    run = answer(repository)
    assert run.results["Test (3.11)"] == run.results["all-green"] == "failure"
    assert run.results["Lint"] == "success"


HISTORY = """\
import os
import subprocess


def git(*words):
    return subprocess.check_output(["git", *words], text=True).strip()


def test_it(tmp_path):
    assert os.environ["CI"] == "true"
    assert git("rev-parse", "--is-shallow-repository") == "false"
    assert int(git("rev-list", "--count", "HEAD")) > 1
    git("clone", "--quiet", ".", str(tmp_path / "clone"))
    assert not git("branch", "--show-current")
    assert "extraheader" not in git("config", "--list", "--includes")
"""


def test_tests_run_in_a_checkout_with_its_history(repository):
    """On a merge commit that is on no branch, as a runner makes it: tests clone it, and promote."""
    repository.write("tests/test_it.py", HISTORY)
    answer(repository).require("Test (3.11)", "Test (3.12)", "all-green")


def test_a_deleted_file_runs_the_tests(repository):
    """A change that adds nothing can break everything."""
    (repository.folder / "machinery/docs/report.md").unlink()
    answer(repository).require("Test (3.11)", "all-green")


def test_a_fork_gets_its_answer_without_a_secret_or_a_runner_of_ours(repository):
    """Whatever the owner has set; the token it gets may only read, and one step is given it."""
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    run = answer(repository, fork=True, secrets=SECRETS, variables=GPU)
    run.require(*FOR_A_PARAMETER)
    assert run.jobs["Plan / what is needed"].outputs["runner"] == '["ubuntu-24.04"]'
    assert "canary" not in str(run.environments) + str(run.actions)
    assert "Comment / post" not in run.results
    with_token = {text for text in run.environments.values() if "token-of-the-run" in text}
    assert all("MLOPS_STORE=" in text for text in with_token)


def test_a_runner_of_ours_trains_for_us(repository):
    """It has no GPU here: params.yaml lets training fall back, and the report says so."""
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    run = answer(repository, variables=GPU)
    run.require(*FOR_A_PARAMETER)
    assert run.jobs["Plan / what is needed"].outputs["runner"] == '["self-hosted", "gpu"]'
    assert "on cpu (gpu requested)" in run.summary


@pytest.mark.parametrize(
    ("environment", "fetched"), [("self-hosted", False), ("github-hosted", True)]
)
def test_a_runner_of_ours_brings_its_python(repository, environment, fetched):
    """What setup-python fetches runs on the systems of GitHub's runners only."""
    # act knows no runner.environment, and what GitHub sets for steps is none of its `env`.
    repository.edit(
        ".github/actions/setup/action.yml", "runner.environment", "env.RUNNER_ENVIRONMENT"
    )
    run = answer(repository, environment={"RUNNER_ENVIRONMENT": environment})
    run.require("Lint", "all-green")
    uses = {one["action"] for one in run.actions}
    assert "actions/cache/restore" in uses
    assert ("actions/setup-python" in uses) is fetched


def test_without_a_plan_nothing_is_green(repository):
    """Every job is skipped then, which alone would count as success."""
    run = answer(repository, variables={"GPU_RUNNER": "gpu"})
    assert run.results == {"Plan / what is needed": "failure", "all-green": "failure"}
    assert "GPU_RUNNER is 'gpu'. It is a JSON list" in run.log
    assert "which the plan does not excuse" in run.summary


@pytest.fixture(scope="module")
def crowned(seed, tmp_path_factory):
    """A repository with a model in production, its bundle in a store: others are copies of it."""
    repository = copy(seed, tmp_path_factory.mktemp("crowned") / "home")
    place = {"MLOPS_STORE": str(repository.home / "store"), "OMP_NUM_THREADS": "1"}
    for steps in ("check-data train evaluate gate package", "promote --env dev"):
        command = [sys.executable, "-m", "mlops", *steps.split()]
        environment = repository.environment(**place)
        subprocess.run(command, cwd=repository.folder, env=environment, check=True)
    # As far as a pull request sees: how it got there is the subject of other tests.
    release = (repository.folder / "environments/dev/release.yaml").read_text("utf-8")
    repository.write("environments/production/release.yaml", release)
    repository.commit()
    return repository


@pytest.fixture
def champion(crowned, tmp_path):
    """A repository with a model in production, and where jobs find its bundle."""
    repository = copy(crowned, tmp_path / "home")
    return repository, str(repository.home / "store")


def test_a_change_is_judged_against_the_model_in_production(champion):
    """Its bundle comes from the store; a model that keeps every bound, but is worse, is refused."""
    repository, store = champion
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 300")
    run = answer(repository, variables={"MLOPS_STORE": store})
    assert run.jobs["Train / candidate"].steps["Evaluate"] == "success", run.log
    assert run.results["Train / candidate"] == run.results["all-green"] == "failure"
    assert "### Gate: fail\n\nWorse than" in run.summary and "(M107 " in run.summary


def test_a_production_that_cannot_be_compared_with_is_no_yes(champion):
    """Without its bundle nobody knows whether the change is worse."""
    repository, store = champion
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    run = answer(repository, variables={"MLOPS_STORE": f"{store}/elsewhere"})
    assert run.results["Train / candidate"] == run.results["all-green"] == "failure"
    assert "M106" in run.summary
