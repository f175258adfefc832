"""The audits, executed: an innocent change is green, what is known to be weak is red and shown."""

import json
import re
from contextlib import ExitStack

import pytest

from machinery.tests.signing.test_audit import osv

pytestmark = pytest.mark.slow

SECRETS = {"DEPLOY_KEY": "canary-of-the-owner"}
INJECTION = """\
name: Greet
on: [issues]
permissions: {}
jobs:
  greet:
    runs-on: ubuntu-24.04
    steps:
      - run: echo "${{ github.event.issue.title }}"
"""


@pytest.fixture(scope="module")
def audited():
    """Lets an event happen to the audits, with a stand-in of osv.dev, and no token of GitHub's."""
    with ExitStack() as stack:
        url = stack.enter_context(osv())

        def happen(repository, event, payload):
            given = {"environment": {"PIP_AUDIT_OSV_URL": url}}
            # zizmor looks offline where it has none: nothing here plays all that it asks GitHub.
            secrets = SECRETS | {"GITHUB_TOKEN": ""}
            return repository.act(event, payload, "security.yml", secrets=secrets, **given)

        yield happen


def test_a_stranger_s_innocent_change_is_green(repository, audited):
    """With no secret; what writes on the Security page is left out."""
    repository.write("machinery/docs/more.md", "More")
    run = audited(repository, "pull_request", repository.pull_request(fork=True))
    run.require("Workflows", "Dependencies")
    assert "### Audit: pass" in run.summary
    assert "canary" not in str(run.environments) + str(run.actions)
    assert "github/codeql-action" not in {one["action"] for one in run.actions}


@pytest.fixture(scope="module")
def weak(shared, audited):
    """Main was pushed with a workflow that runs an issue's title, and a lock with a known hole."""
    shared.write(".github/workflows/greet.yml", INJECTION)
    for name in ("requirements.txt", "requirements-serve.txt"):
        lock = (shared.folder / name).read_text("utf-8")
        shared.write(name, re.sub("(?m)^jinja2==[^ ]+", "jinja2==2.10", lock))
    shared.commit("Greet whoever opens an issue")
    event = shared.push()
    event["repository"] |= {"visibility": "public"}
    return audited(shared, "push", event)


def test_a_workflow_that_runs_a_stranger_s_words_is_red(weak):
    """With the audit's name and the place; the page of the repository gets the same."""
    assert weak.results["Workflows"] == "failure"
    assert "template-injection" in weak.jobs["Workflows"].log
    assert ".github/workflows/greet.yml:8" in weak.jobs["Workflows"].log
    shown = json.loads((weak.folder / "zizmor.sarif").read_text("utf-8"))
    assert "zizmor/template-injection" in {one["ruleId"] for one in shown["runs"][0]["results"]}


def test_a_locked_package_with_a_known_hole_is_red(weak):
    """With the advisory and the version that mends it, on the page of the run."""
    assert weak.results["Dependencies"] == "failure"
    assert "### Audit: fail" in weak.summary
    (told,) = re.findall(r"(?m)^- \*\*fail\*\* (jinja2 2.10: .*)", weak.summary)
    assert "GHSA-462w-v97r-4m45" in told and "fixed in 2.10.1" in told
