"""`make ci` on a laptop: the commands of the jobs, the plan, the judgement, the summary."""

import subprocess
import sys

import pytest

from machinery.tests.workflows.flat import load
from machinery.tests.workflows.repositories import ROOT, copy
from mlops.steps.ci import JOBS


@pytest.mark.fast
@pytest.mark.parametrize("job", JOBS)
def test_a_job_runs_the_same_commands_here_and_there(job):
    """What follows set-up, but for what moves files between jobs."""
    asked = load(ROOT / ".github/workflows/ci.yml")["jobs"][job]
    if "uses" in asked:
        (asked,) = load(ROOT / asked["uses"].removeprefix("$/"))["jobs"].values()
    commands = [step["run"] for step in asked["steps"] if "run" in step]
    assert commands == [f"make {target}" for target in JOBS[job][1]]


@pytest.mark.fast
@pytest.mark.parametrize("job", JOBS)
def test_a_job_waits_for_the_same(job):
    """The plan alone, and what it must say."""
    said = load(ROOT / ".github/workflows/ci.yml")["jobs"][job]
    asked, _ = JOBS[job]
    assert said["needs"] == ["plan"]
    condition = f"needs.plan.outputs.{asked} == 'true'" if asked else None
    assert said.get("if") == condition


@pytest.fixture
def make_ci(seed, tmp_path):
    """A function that runs `make ci` on a branch of a repository, and returns how it ended."""
    repository = copy(seed, tmp_path / "home")
    repository.git("checkout", "--quiet", "-b", "change")
    (repository.folder / ".venv").symlink_to(sys.prefix)

    def run() -> subprocess.CompletedProcess:
        given = {
            "VENV": sys.prefix,
            "MAKEFLAGS": "ON_ALL_CORES=--ignore-glob=*/conformance/test_[ms]*.py",
        }
        environment = repository.environment(OMP_NUM_THREADS="1", **given)
        return subprocess.run(
            ["make", "ci"],
            cwd=repository.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    run.repository = repository
    return run


@pytest.mark.slow
def test_a_worse_model_is_red_with_the_summary_of_a_pull_request(make_ci):
    make_ci.repository.edit("params.yaml", "ridge: 0.5", "ridge: 90000")
    make_ci.repository.commit()
    done = make_ci()
    assert done.returncode != 0
    assert "### Gate: fail\n\n" in done.stdout and "(M103 " in done.stdout
    assert "| train | failure | red |" in done.stdout


@pytest.mark.slow
def test_a_change_to_the_documentation_trains_nothing(make_ci):
    make_ci.repository.write("machinery/docs/more.md", "More")
    make_ci.repository.commit()
    done = make_ci()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| train | skipped, as planned |" in done.stdout
    assert "make train" not in done.stdout


@pytest.mark.slow
def test_what_is_not_committed_is_in_no_plan(make_ci):
    """So everything is run."""
    make_ci.repository.write("machinery/docs/more.md", "More")
    done = make_ci()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ci          train: make gate" in done.stdout
