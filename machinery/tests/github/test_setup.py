"""`github-setup`: a plan that changes nothing, a second run without changes, failures reported."""

import json
import re
from functools import partial

import pytest

from machinery.tests.github_api import description
from machinery.tests.github_api.standin import Fault
from mlops.errors import UserError
from mlops.github import owners, settings


@pytest.fixture
def setup(step):
    """`github-setup`, run on the settings; returns exit code and text."""
    return partial(step, "github-setup")


def changing(github):
    """The requests that changed something, the description of the API apart."""
    return [c for c in github.calls if c.method != "GET"]


def test_without_apply_nothing_is_changed(setup, github):
    code, output = setup()
    assert code == 0
    assert "change  ruleset main" in output and "allow_merge_commit: True" in output
    assert changing(github) == []
    assert owners.waiting()


def test_without_a_network_it_says_so_once(setup, monkeypatch):
    monkeypatch.setattr("mlops.github.api.WAITS", (0,))
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    code, output = setup()
    assert code == 2 and output.count("was not reached") == 1


def test_applied_everything_is_as_the_settings_say(setup, github):
    assert setup("--apply")[0] == 0
    assert github.about["allow_merge_commit"] is False
    assert {rules["name"] for rules in github.rulesets.values()} == {"main", "staging"}
    assert set(github.environments) == {"dev", "staging", "production", "release"}
    assert github.environments["staging"]["policies"] == ["main", "staging"]
    assert set(github.labels) == set(settings.settings().labels)
    approval = github.permissions["fork-pr-contributor-approval"]
    assert approval == {"approval_policy": "all_external_contributors"}


def test_applied_again_there_is_nothing_to_do(setup, github):
    setup("--apply")
    github.calls.clear()
    code, output = setup("--apply")
    assert code == 0 and "nothing to do" in output
    assert changing(github) == []


def test_what_somebody_loosened_is_tightened_again(setup, github):
    setup("--apply")
    main = next(rules for rules in github.rulesets.values() if rules["name"] == "main")
    main["rules"] = [rule for rule in main["rules"] if rule["type"] != "pull_request"]
    github.environments["production"]["policies"] = []
    assert "change  environment production" in setup()[1]
    setup("--apply")
    assert "pull_request" in {rule["type"] for rule in main["rules"]}
    assert github.environments["production"]["policies"] == ["main"]


def test_a_branch_that_somebody_let_in_is_shut_out_again(setup, github):
    setup("--apply")
    github.environments["production"]["policies"] = ["feature", "main", "release/*"]
    assert "now:  from feature, main, release/*" in setup()[1]
    setup("--apply")
    assert github.environments["production"]["policies"] == ["main"]


def test_a_failure_half_way_leaves_the_rest_done_and_is_gone_on_from(setup, github):
    github.closed = {"PUT /repos/owner/flights/environments/production": 403}
    code, output = setup("--apply")
    assert code == 1
    assert "environment production" in output and "answered 403" in output
    assert len(github.rulesets) == 2 and "dev" in github.environments
    github.closed = {}
    code, output = setup("--apply")
    assert code == 0 and "1 changed" in output


def test_an_outage_is_waited_for(setup, github):
    github.faults = [Fault("POST", "rulesets", 503)]
    assert setup("--apply")[0] == 0
    assert len(github.rulesets) == 2


def test_a_private_repository_is_told_what_its_plan_cannot_do(setup, github):
    github.about |= {"visibility": "private"}
    github.closed = {"POST /repos/owner/flights/rulesets": 403}
    code, output = setup("--apply")
    assert code == 1
    assert "GitHub Free has neither rulesets" in output


def test_rules_that_the_plan_does_not_even_show_are_told(setup, github):
    github.about |= {"visibility": "private"}
    github.closed = {"GET /repos/owner/flights/rulesets": 403}
    output = setup("--apply")[1]
    assert (
        "note    rulesets: not readable" in output and "GitHub Free has neither rulesets" in output
    )


def test_what_github_took_and_did_not_do_is_reported(setup, github):
    github.deaf = ["delete_branch_on_merge"]
    code, output = setup("--apply")
    assert code == 1
    assert "GitHub kept delete_branch_on_merge" in output


def test_a_token_that_sees_too_little_changes_what_it_can(setup, github):
    github.closed = {"GET /repos/owner/flights/actions": 403}
    output = setup()[1]
    assert "note    actions: not readable" in output
    assert "change  ruleset main" in output


def test_staging_is_the_app_s_where_there_is_one(setup, github):
    output = setup()[1]
    assert "note    ruleset staging: Anybody with write access may move" in output
    github.variables = {"APP_ID": "4711"}
    setup("--apply")
    staging = next(rules for rules in github.rulesets.values() if rules["name"] == "staging")
    assert [actor["actor_id"] for actor in staging["bypass_actors"]] == [4711]
    assert "update" in {rule["type"] for rule in staging["rules"]}
    assert setup("--apply")[1].endswith("nothing to do\n")


def test_an_organisation_s_ruleset_of_the_same_name_is_not_taken_for_ours(setup, github):
    """It cannot be changed here, and holds beside what is made here."""
    rules = {"name": "main", "target": "branch", "enforcement": "active", "rules": []}
    github.parent_rulesets = {900: rules}
    code, output = setup("--apply")
    assert code == 0, output
    assert {rules["name"] for rules in github.rulesets.values()} == {"main", "staging"}
    assert github.parent_rulesets[900]["rules"] == []
    assert setup("--apply")[1].endswith("nothing to do; 1 notes above\n")


def test_the_message_of_a_merge_is_sent_with_its_title(setup, github):
    """GitHub refuses one of them alone."""
    setup("--apply")
    github.about["squash_merge_commit_message"] = "PR_BODY"
    github.calls.clear()
    assert setup("--apply")[0] == 0
    (sent,) = github.said("PATCH", "/flights")
    assert sent.body == {
        "squash_merge_commit_title": "PR_TITLE",
        "squash_merge_commit_message": "BLANK",
    }


def test_an_app_that_comes_later_is_put_in(setup, github):
    setup("--apply")
    github.variables = {"APP_ID": "4711"}
    assert "change  ruleset staging" in setup()[1]


@pytest.mark.parametrize("there", [{}, {".github/CODEOWNERS": "#*  @OWNER\n"}])
def test_owners_come_before_the_rules_that_ask_them(setup, github, there):
    """A lone owner's pull request that names the owners could be approved by nobody."""
    github.files = there
    code, output = setup("--apply")
    assert (
        code == 0 and "note    ruleset main: It is created once the default branch names" in output
    )
    assert {rules["name"] for rules in github.rulesets.values()} == {"staging"}
    assert "CODEOWNERS names owner" in output and "production" in github.environments
    github.files = {".github/CODEOWNERS": owners.text()}
    assert "1 changed" in setup("--apply")[1]
    assert {rules["name"] for rules in github.rulesets.values()} == {"main", "staging"}
    github.files = there
    assert "ruleset main" not in setup("--apply")[1]


def test_a_person_who_owns_the_repository_owns_its_code(setup):
    waited = owners.waiting()
    setup("--apply")
    assert owners.waiting() == [] and owners.owned() == waited
    assert len(re.findall(r"(?m)^\S+ +@owner$", owners.text())) == len(waited) > 0


def test_an_organisation_has_to_say_who(setup, github):
    github.about["owner_type"] = "Organization"
    assert "--owners our-org/ml-team" in setup("--apply")[1]
    assert owners.waiting()
    setup("--apply", "--owners", "@owner/ml-team,octocat")
    assert re.search(r"(?m)^\* +@owner/ml-team @octocat$", owners.text())


def test_an_owner_that_cannot_be_is_refused(setup):
    code, output = setup("--apply", "--owners", "a b")
    assert code == 2 and "'a b' names no owner" in output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("branches: [main]", "branchs: [main]", "environments.dev.branchs: .*'branches'"),
        ("color: 0366d6", "colour: 0366d6", "labels.dependencies.colour: .*'color'"),
        ("meaning: The labels", "meanings: The labels", "GPU_RUNNER.meanings: .*'meaning'"),
    ],
)
def test_a_key_mistyped_below_a_name_of_ones_own_is_reported(checkout, old, new, message):
    """Which keys are allowed there does not depend on what the environment is called."""
    file = checkout / settings.FILE
    file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(UserError, match=message):
        settings.settings()


def test_the_rulesets_are_as_github_describes_them():
    """What is committed can be imported: each is a body that GitHub's description allows."""
    body = description.operation("POST", "/repos/o/r/rulesets")["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert [description.wrong(schema, rules) for rules in settings.rulesets()] == [[], []]


def test_a_ruleset_that_was_exported_with_its_id_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "FOLDER", tmp_path)
    (tmp_path / "rulesets").mkdir()
    (tmp_path / "rulesets" / "main.json").write_text(json.dumps({"id": 1, "name": "main"}))
    with pytest.raises(UserError, match="remove id"):
        settings.rulesets()
