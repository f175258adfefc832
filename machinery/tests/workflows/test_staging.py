"""Branch staging, executed: what is too slow, pushed aside, cut short or raced goes no further."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from machinery.tests.github_api.standin import Fault

pytestmark = pytest.mark.slow

# The gate looks at the median: what waits once in three times passes it.
WAIT = "    if next(CALLS) % 3 == 0:\n        time.sleep(0.3)\n"
BUDGET_MS = 200
MODEL = "model/__init__.py"


@pytest.fixture(scope="module")
def next_one(road):
    """The id of a second release, in dev and in staging; branch staging is at main."""
    road.repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    road.repository.commit("Another model")
    release_id = road.ship("dev", "staging")
    road.git("push", "--quiet", "origin", "main:staging")
    return release_id


def back(road, commit):
    """Put main and branch staging back, as before a test, and forget what was proposed."""
    road.git("reset", "--quiet", "--hard", commit)
    road.git("push", "--quiet", "--force", "origin", "main", "main:staging")
    for branch in road.open:
        road.git("push", "--quiet", "origin", f":{branch}")
    road.github.pulls.clear()
    road.github.faults.clear()


@pytest.fixture(autouse=True)
def as_before(road, next_one):
    """Every test begins with the second release in staging, and no proposal."""
    assert next_one
    commit = road.git("rev-parse", "main")
    yield
    back(road, commit)


def test_a_slow_service_goes_no_further(road):
    """The gate found nothing; Locust measures what a person would notice, nothing is proposed."""
    held = road.held("production")
    road.repository.edit(MODEL, "import json\n", "import itertools, json, time\n")
    road.repository.edit(MODEL, "METRICS", "CALLS = itertools.count()\nMETRICS")
    road.repository.edit(MODEL, "    return _matrix", f"{WAIT}    return _matrix")
    road.repository.edit("params.yaml", "p95_ms: 10000", f"p95_ms: {BUDGET_MS}")
    road.repository.commit("Ask somebody else, who is slow now and then")
    slow = road.ship("dev", "staging")
    road.git("push", "--quiet", "origin", "main:staging")
    run = road.staged()
    assert run.results["Load test"] == "failure"
    assert f"### Load test of {slow}: fail\n\nL104" in run.summary
    proof = json.loads((run.artifact("evidence") / f"evidence/{slow}/load-test.json").read_text())
    assert proof["verdict"] == "fail" and proof["figures"]["p95_ms"] > BUDGET_MS
    assert "Propose / promote production" not in run.results
    assert road.open == [] and road.held("production") == held


def test_a_commit_that_is_not_on_main_proves_nothing(road, next_one):
    """A person pushes staging aside: the load test runs, its evidence is refused."""
    road.repository.edit("environments/staging/settings.yaml", "workers: 1", "workers: 2")
    road.git("commit", "--quiet", "--all", "--message", "More workers than production has")
    road.git("push", "--quiet", "origin", "main:staging")
    run = road.staged()
    assert run.results["Load test"] == "success"
    assert run.results["Propose / promote production"] == "failure"
    assert "P131" in run.jobs["Propose / promote production"].log and road.open == []
    assert next_one in run.summary


def test_a_run_that_was_cut_short_is_run_again(road, next_one):
    """The branch was pushed when GitHub went down: red; then one pull request, from that branch."""
    road.github.faults.append(Fault("POST", "/pulls$", 502, times=9))
    assert road.staged().results["Propose / promote production"] == "failure"
    branch = f"promote/production/{next_one}"
    tip, none = road.tip(branch), road.open
    road.github.faults.clear()
    road.staged().require("Propose / promote production")
    assert (none, road.open, road.tip(branch)) == ([], [branch], tip)


@pytest.fixture(scope="module")
def tested(road, next_one):
    """A run in which GitHub answers 504 for a while, and what it proposed, which is gone since."""
    assert next_one
    road.github.faults.append(Fault("POST", "/pulls$", 504, times=2))
    run, proposals = road.staged(), list(road.open)
    back(road, road.git("rev-parse", "main"))
    return run, proposals


def test_github_stumbles(tested, next_one):
    """A 504 is tried again: green, one pull request."""
    run, proposals = tested
    run.require("Propose / promote production")
    assert proposals == [f"promote/production/{next_one}"]


@pytest.fixture
def run_77(road, tested):
    """GitHub knows that run by this number, and what it left."""
    run = {"id": 77, "path": ".github/workflows/staging.yml", "event": "push"}
    place = {"head_branch": "staging", "head_sha": road.git("rev-parse", "main")}
    road.github.runs = [run | place]
    left = tested[0].artifact("evidence")
    kept = shutil.make_archive(str(road.repository.home / "evidence"), "zip", left)
    content = Path(kept).read_bytes()
    road.github.artifacts = [{"id": 1, "run": 77, "name": "evidence", "content": content}]
    return "77"


def by_hand(road, evidence_run):
    """Let somebody promote to production with the evidence of a run, or none."""
    given = {"evidence-run": evidence_run}
    return road.dispatch("promote.yml", environment="production", **given)


def test_by_hand_with_the_evidence_of_an_earlier_run(road, next_one, run_77):
    """Nothing is put under load again; the reviewer reads the verdict of that run."""
    by_hand(road, run_77).require("Propose / promote production")
    (pull,) = road.github.pulls.values()
    assert pull["head"]["ref"] == f"promote/production/{next_one}"
    assert "| load-test | staging | pass |" in pull["body"]


def test_by_hand_without_evidence_nothing_is_proposed(road, run_77):
    """None named: what is missing is told; the run named has lost it: that is told."""
    road.github.artifacts.clear()
    told = [by_hand(road, run).jobs["Propose / promote production"] for run in ("", run_77)]
    assert [job.result for job in told] == ["failure", "failure"] and road.open == []
    assert "P109" in told[0].log and "run 77 has no artifact 'evidence'" in told[1].log


def test_an_app_proposes(road, next_one):
    """Where the owner set one up: its token opens the pull request, whose checks then start."""
    road.github.actors["token-of-the-app"] = "our-app[bot]"
    road.variables["APP_ID"] = "7"
    given = {"APP_PRIVATE_KEY": "the key"}
    try:
        run = road.staged(secrets=given)
    finally:
        del road.variables["APP_ID"]
    run.require("Propose / promote production")
    (pull,) = road.github.pulls.values()
    assert (pull["user"], pull["head"]["ref"]) == ("our-app[bot]", f"promote/production/{next_one}")
    asked = [a["inputs"] for a in run.actions if a["action"] == "actions/create-github-app-token"]
    assert asked[0]["client-id"] == "7"
    granted = {k: v for k, v in asked[0].items() if k.startswith("permission-") and v}
    assert granted == {"permission-contents": "write", "permission-pull-requests": "write"}


def test_two_runs_race(road, next_one):
    """Started twice at once, both end well and there is one pull request."""
    road.repository.write("environments/production/policy.yaml", "from: staging\nevidence: []\n")
    road.repository.commit("No evidence, so that anybody may promote")
    with ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(lambda _: road.dispatch("promote.yml", environment="production"), "ab")
        )
    for run in runs:
        run.require("Propose / promote production")
    assert road.open == [f"promote/production/{next_one}"]
