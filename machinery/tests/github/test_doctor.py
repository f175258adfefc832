"""`doctor`: with every guard there it is content; each that is missing is named with its remedy."""

import copy
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from mlops import cli
from mlops.doctor.automation import CML, POST
from mlops.doctor.tree import workflows
from mlops.github.api import GitHub
from mlops.github.settings import CODEOWNERS

ROOT = Path.cwd()
SHA = "5" * 40


def ago(**time):
    """A time before now, as GitHub writes it."""
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def doctor(step):
    """`doctor`, run in the checkout; returns exit code and text."""
    return partial(step, "doctor")


@pytest.fixture(scope="module")
def applied():
    """What `github-setup` made of a repository, once for all tests."""
    return {}


@pytest.fixture
def guarded(checkout, github, applied, capsys):
    """A repository after its first day: set up, an App, a runner of its own, green once."""
    github.about["owner_type"] = "Organization"
    github.variables = {"APP_ID": "4711", "GPU_RUNNER": '["self-hosted", "gpu"]'}
    if not applied:
        assert cli.main(["github-setup", "--apply", "--owners", "owner/ml-team"]) == 0
        fields = ("about", "rulesets", "environments", "labels", "permissions")
        applied |= {name: copy.deepcopy(getattr(github, name)) for name in fields}
        applied["CODEOWNERS"] = CODEOWNERS.read_text("utf-8")
    for name in set(applied) - {"CODEOWNERS"}:
        setattr(github, name, copy.deepcopy(applied[name]))
    (checkout / CODEOWNERS).write_text(applied["CODEOWNERS"], "utf-8")
    github.environment_secrets = {"release": ["APP_PRIVATE_KEY"]}
    github.branches = {"main": SHA, "staging": SHA}
    github.checks = {SHA: ["all-green"]}
    github.runner_groups = [{"name": "gpu", "restricted_to_workflows": True}]
    github.elsewhere = {CML: re.findall(r"ref: ([0-9a-f]{40})", POST.read_text("utf-8"))}
    for name in workflows():
        github.workflows[name] = {"state": "active"}
        run = {"id": 1, "event": "schedule", "created_at": ago(hours=1), "workflow": name}
        github.runs.append(run)
    capsys.readouterr()
    return github


def test_with_every_guard_there_it_is_content(guarded, doctor):
    code, output = doctor()
    assert code == 0, output
    assert "doctor      PASS" in output
    assert "BAD" not in output and "unknown" not in output
    assert [call for call in guarded.calls[-40:] if call.method != "GET"] == []


def rules(github, branch):
    """A ruleset's rules by type, to be changed."""
    ruleset = next(one for one in github.rulesets.values() if one["name"] == branch)
    return ruleset["rules"]


def drop(github, kind, branch="main"):
    """Take a rule away."""
    current = rules(github, branch)
    current[:] = [rule for rule in current if rule["type"] != kind]


def loosen(github, kind, **parameters):
    """Change what a rule of main says."""
    next(r for r in rules(github, "main") if r["type"] == kind)["parameters"] |= parameters


def enqueue(github, strategy):
    """Have main's changes merged by a queue that forms groups so."""
    numbers = ("check_response_timeout_minutes", "max_entries_to_build", "max_entries_to_merge")
    least = ("min_entries_to_merge", "min_entries_to_merge_wait_minutes")
    parameters = dict.fromkeys((*numbers, *least), 5) | {"merge_method": "SQUASH"}
    rule = {"type": "merge_queue", "parameters": parameters | {"grouping_strategy": strategy}}
    rules(github, "main").append(rule)


MISSING = {
    "main: pull request: no such rule": lambda g: drop(g, "pull_request"),
    "main: pull request: weaker.* allowed_merge_methods": lambda g: loosen(
        g, "pull_request", allowed_merge_methods=["squash", "merge"]
    ),
    "require_code_owner_review is False": lambda g: loosen(
        g, "pull_request", require_code_owner_review=False
    ),
    "require_last_push_approval is False": lambda g: loosen(
        g, "pull_request", require_last_push_approval=False
    ),
    "required status checks: no such rule": lambda g: drop(g, "required_status_checks"),
    "required status checks: weaker": lambda g: loosen(
        g, "required_status_checks", required_status_checks=[{"context": "all-grene"}]
    ),
    "main: non fast forward: no such rule": lambda g: drop(g, "non_fast_forward"),
    "no ruleset holds on main": lambda g: [
        rules.update(enforcement="disabled") for rules in g.rulesets.values()
    ],
    "all-green: it has not reported": lambda g: g.checks.clear(),
    "merge queue: a red change is merged": lambda g: enqueue(g, "HEADGREEN"),
    "squash only: allow_merge_commit": lambda g: g.about.update(allow_merge_commit=True),
    "squash only: squash_merge_commit_message": lambda g: g.about.update(
        squash_merge_commit_message="PR_BODY"
    ),
    "branch staging: without non_fast_forward": lambda g: drop(g, "non_fast_forward", "staging"),
    "CODEOWNERS: 1 lines are not understood; line 3": lambda g: g.codeowners_errors.append(
        {
            **{"line": 3, "column": 1, "kind": "Unknown owner", "path": ".github/CODEOWNERS"},
            "message": "Unknown owner on line 3",
        }
    ),
    "environment production: missing": lambda g: g.environments.pop("production"),
    "environment staging: any branch may": lambda g: g.environments["staging"].update(
        deployment_branch_policy=None
    ),
    "environment dev: feature": lambda g: g.environments["dev"]["policies"].append("feature"),
    "other environments: prodution": lambda g: g.environments.update(prodution={}),
    "Actions: switched off": lambda g: g.permissions.update({"": {"enabled": False}}),
    "default token: .* is write": lambda g: g.permissions["workflow"].update(
        default_workflow_permissions="write"
    ),
    "may propose: .* is False": lambda g: g.permissions["workflow"].update(
        can_approve_pull_request_reviews=False
    ),
    "runs of strangers": lambda g: g.permissions["fork-pr-contributor-approval"].update(
        approval_policy="first_time_contributors"
    ),
    "the secret APP_PRIVATE_KEY in the environment release is missing": lambda g: (
        g.environment_secrets.clear()
    ),
    "secrets: SIGNING_KEY: a workflow on any branch": lambda g: g.secrets.append("SIGNING_KEY"),
    "environment release: missing": lambda g: g.environments.pop("release"),
    "environment release: any branch may": lambda g: g.environments["release"].update(
        deployment_branch_policy=None
    ),
    "the variable APP_ID is missing": lambda g: g.variables.pop("APP_ID"),
    "variable GPU_RUNNER: 'gpu' is not understood": lambda g: g.variables.update(GPU_RUNNER="gpu"),
    "variable RUNNER: .* is not understood": lambda g: g.variables.update(RUNNER='["a" "b"]'),
    "variable MLOPS_STORE: .* is not understood": lambda g: g.variables.update(MLOPS_STORE="build"),
    "variable MLOPS_STORE: s3://ours/models: a hosted": lambda g: g.variables.update(
        MLOPS_STORE="s3://ours/models"
    ),
    "schedule retrain.yml: disabled inactivity": lambda g: g.workflows["retrain.yml"].update(
        state="disabled_inactivity"
    ),
    "schedule retrain.yml: last started": lambda g: [
        run.update(created_at=ago(days=15)) for run in g.runs
    ],
    "schedule deploy.yml: GitHub does not know": lambda g: g.workflows.pop("deploy.yml"),
    "runner group: wide: any workflow": lambda g: g.runner_groups.append(
        {"name": "wide", "restricted_to_workflows": False}
    ),
    "CML: iterative/cml has no commit": lambda g: g.elsewhere.clear(),
    "CML: .* names no commit": lambda _: POST.write_text("runs: {}\n", "utf-8"),
}


@pytest.mark.parametrize("pattern", MISSING)
def test_a_guard_that_is_missing_is_named_with_its_remedy(guarded, doctor, pattern):
    MISSING[pattern](guarded)
    code, output = doctor()
    assert code == 1
    assert re.search(rf"BAD +.*{pattern}.*\n +-> .+", output), output


def test_the_environment_of_the_secrets_is_no_place_to_deploy_to(guarded, checkout, doctor):
    """It is named in the settings, and has no folder."""
    assert guarded and "ok          environment names: dev, staging, production" in doctor()[1]
    shutil.copytree(checkout / "environments/dev", checkout / "environments/release")
    assert "BAD         environment names: release keeps the secrets" in doctor()[1]
    shutil.rmtree(checkout / "environments/release")
    file = checkout / ".github/settings/settings.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("  release:\n    branches: [main, staging]\n", ""), "utf-8")
    assert "settings.yaml lacks release, for the secrets" in doctor()[1]


AT = ["owner/flights/.github/workflows/deploy.yml@refs/heads/"]


@pytest.mark.parametrize(
    ("variables", "at", "pattern"),
    [
        ({"RUNNER": '["inside"]'}, "mine", "BAD         runner branch: .*@refs/heads/mine: any"),
        ({"RUNNER": '["inside"]', "GPU_RUNNER": '["gpu"]'}, "mine", "note        runner branch"),
        ({"RUNNER": '["inside"]'}, "main", None),
        ({"RUNNER": '["inside"]'}, "staging", None),
        ({"GPU_RUNNER": '["gpu"]'}, "mine", None),
    ],
)
def test_a_runner_with_credentials_is_for_what_was_merged(guarded, doctor, variables, at, pattern):
    """Whoever may write can start a workflow on a branch of their own."""
    guarded.variables = {"APP_ID": "4711", **variables}
    guarded.runner_groups[0]["selected_workflows"] = [f"{name}{at}" for name in AT]
    output = doctor()[1]
    assert re.search(pattern, output) if pattern else "runner branch" not in output, output


@pytest.mark.parametrize(
    ("allowed", "listed", "pattern"),
    [
        ("all", {}, r"ok +actions allowed: actions/attest, .*docker/login-action"),
        ("local_only", {}, r"BAD +actions allowed: no external ones"),
        ("selected", {}, r"BAD +actions allowed: docker/login-action: not in the list"),
        (
            "selected",
            {"github_owned_allowed": False, "verified_allowed": True},
            r"BAD +actions allowed: actions/attest, .*github/codeql-action: not in the list",
        ),
        ("selected", {"verified_allowed": True}, r"ok +actions allowed"),
        ("selected", {"patterns_allowed": ["docker/*"]}, r"ok +actions allowed"),
        ("selected", {"patterns_allowed": ["docker/login-action@*"]}, r"ok +actions allowed"),
        ("selected", {"patterns_allowed": ["dock/*"]}, r"BAD +actions allowed: docker/login"),
    ],
)
def test_a_list_of_allowed_actions_has_to_hold_ours(guarded, doctor, allowed, listed, pattern):
    """Where it lacks one, every run that uses it fails as it starts."""
    guarded.permissions |= {"": {"allowed_actions": allowed}, "selected-actions": listed}
    code, output = doctor()
    assert re.search(pattern, output) and code == (1 if "BAD" in pattern else 0), output


def test_the_page_lists_whose_actions_are_used(guarded, doctor):
    """What an organisation has to allow."""
    assert guarded
    used = re.search(r"actions allowed: (.*)", doctor()[1])[1].split(", ")
    page = (ROOT / "machinery/docs/github.md").read_text("utf-8")
    assert [name for name in used if f"`{name.partition('/')[0]}`" not in page] == []


def test_reviewers_that_settings_name_have_to_be_asked(guarded, checkout, doctor):
    """Named in the file, and not applied: nobody waits for them."""
    file = checkout / ".github/settings/settings.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("reviewers: []", "reviewers: [owner]"), "utf-8")
    assert "BAD         environment production: without the reviewers" in doctor()[1]
    guarded.environments["production"]["reviewers"] = [{"type": "User", "id": 5}]
    assert "ok          environment production: from main only" in doctor()[1]


def test_nobody_who_says_yes_to_production_is_found(guarded, doctor):
    """Two locks: with one of them open it holds, with both it does not."""
    loosen(guarded, "pull_request", require_code_owner_review=False)
    assert "BAD         yes to production: nobody has to" in doctor()[1]
    guarded.environments["production"]["reviewers"] = [{"type": "User", "id": 5}]
    assert "ok          yes to production: from a reviewer of the run" in doctor()[1]


@pytest.mark.parametrize(
    "lines, state",
    [
        ("* @owner", "ok"),
        ("* @owner\n/data/ @owner/data", "ok"),
        ("/environments/ @owner/ops", "ok"),
        ("* @owner\n/environments/production/", "BAD"),
        ("/data/ @owner", "BAD"),
    ],
)
def test_the_last_line_that_matches_owns_production(guarded, doctor, lines, state):
    assert guarded
    CODEOWNERS.write_text(f"{lines}\n", "utf-8")
    assert re.search(rf"(?m)^{state} +yes to production: ", doctor()[1])


@pytest.mark.parametrize(
    "mode, pattern",
    [
        ("always", "BAD +nobody past them: 1 may push to main past every rule"),
        (
            "pull_request",
            "note +nobody past them: 1 may merge a pull request that the rules refuse",
        ),
    ],
)
def test_who_may_bypass_the_rules_is_reported(guarded, doctor, mode, pattern):
    actor = {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": mode}
    next(r for r in guarded.rulesets.values() if r["name"] == "main")["bypass_actors"] = [actor]
    assert re.search(pattern, doctor()[1])


def test_who_may_go_past_the_rules_is_unknown_where_it_is_not_shown(guarded, doctor):
    """To those who may only read: their token proves nothing."""
    for rules_ in guarded.rulesets.values():
        del rules_["bypass_actors"]
    code, output = doctor()
    assert code == 3 and "unknown     nobody past them: shown to those who may write" in output


def test_a_merge_queue_that_asks_about_every_change_is_a_guard(guarded, doctor):
    enqueue(guarded, "ALLGREEN")
    assert "ok          merge queue: every change in it has to be green" in doctor()[1]


def test_rulesets_add_up(guarded, doctor):
    """A second, weaker one takes nothing away."""
    rule = next(one for one in rules(guarded, "main") if one["type"] == "pull_request")
    weaker = rule | {"parameters": dict.fromkeys(rule["parameters"], False)}
    weaker["parameters"] |= {
        "allowed_merge_methods": ["merge"],
        "required_approving_review_count": 0,
    }
    names = {"ref_name": {"include": ["~ALL"], "exclude": []}}
    more = {"name": "more", "target": "branch", "enforcement": "active", "bypass_actors": []}
    guarded.rulesets[99] = more | {"conditions": names, "rules": [weaker]}
    assert "ok          main: pull request: enforced" in doctor()[1]


def test_without_an_app_it_says_what_follows(guarded, doctor):
    guarded.variables, guarded.environment_secrets = {}, {}
    assert "wait for one click" in doctor()[1]


def test_code_owners_that_github_does_not_find_are_no_guard(guarded, doctor):
    guarded.closed = {"GET /repos/owner/flights/codeowners/errors": 404}
    code, output = doctor()
    assert code == 1 and "BAD         CODEOWNERS: GitHub finds none" in output


def test_what_a_token_may_not_see_is_unknown_and_not_ok(guarded, doctor):
    guarded.closed = {"GET /repos/owner/flights/actions/secrets": 403}
    code, output = doctor()
    assert code == 3
    assert re.search(r"unknown +secrets: .*answered 403", output)


def test_a_setting_that_github_hides_is_unknown_and_not_ok(guarded, doctor):
    guarded.closed = {"GET /repos/owner/flights/actions/permissions/workflow": 404}
    code, output = doctor()
    assert code == 3
    assert "unknown     default token: GitHub does not show it" in output


def test_what_only_administrators_see_is_unknown_and_not_ok(guarded, doctor):
    del guarded.about["allow_squash_merge"]
    code, output = doctor()
    assert code == 3
    assert "unknown     squash only: shown to administrators" in output


def test_a_repository_that_is_not_seen_is_unknown(guarded, doctor):
    guarded.closed = {"GET /repos/owner/flights": 404}
    code, output = doctor()
    assert code in (1, 3)
    assert "is not seen: it does not exist, or is private" in output


def test_without_a_network_it_says_so_once(doctor, monkeypatch):
    monkeypatch.setattr("mlops.github.api.WAITS", (0,))
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    output = doctor()[1]
    assert output.count("was not reached") == 1
    assert re.search("unknown +GitHub: .*was not reached", output)


def test_a_mistake_in_a_file_is_a_guard_that_would_not_bite(guarded, checkout, doctor):
    """What cannot be read guards nothing, and the other guards are looked at all the same."""
    policy = checkout / "environments/dev/policy.yaml"
    policy.write_text(policy.read_text("utf-8").replace("from:", "form:"), "utf-8")
    code, output = doctor()
    assert code == 1 and "BAD         environment names: environments/dev/policy.yaml:" in output
    assert "ok          squash only" in output and guarded.calls


def test_without_a_remote_it_looks_at_what_is_here(doctor, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY")
    monkeypatch.setattr(GitHub, "here", classmethod(_nowhere))
    code, output = doctor()
    assert code == 3, output
    assert "ok          Python" in output and "unknown     GitHub: no remote" in output


def _nowhere(_):
    from mlops.errors import UserError

    raise UserError("no remote")


@pytest.mark.parametrize(
    ("name", "line"), [("release.yml", "environment: dev"), ("retrain.yml", "ENV: production")]
)
def test_an_environment_that_a_workflow_mistypes_is_found(checkout, doctor, name, line):
    """Given to what is called, or to a step of its own."""
    file = checkout / ".github/workflows" / name
    text = file.read_text("utf-8")
    assert line in text
    file.write_text(text.replace(line, f"{line[:-1]}x"), "utf-8")
    assert re.search(
        "BAD +environment names: a workflow names (dex|productiox), which has no folder",
        doctor()[1],
    )


@pytest.mark.parametrize("on", ["push", "[push]", "{schedule: }"])
def test_a_workflow_of_a_fork_s_own_may_say_on_as_it_likes(guarded, checkout, doctor, on):
    assert guarded
    text = f"on: {on}\njobs: {{hello: {{runs-on: ubuntu-24.04, steps: [{{run: echo}}]}}}}\n"
    (checkout / ".github/workflows/ours.yml").write_text(text, "utf-8")
    code, output = doctor()
    assert code == 0, output


def test_packages_of_another_version_are_found(checkout, doctor):
    file = checkout / "requirements.txt"
    file.write_text(re.sub(r"(?m)^numpy==\S+", "numpy==1.0", file.read_text("utf-8")), "utf-8")
    assert re.search("BAD +packages: .*numpy", doctor()[1])


def test_it_speaks_json(guarded, doctor):
    guarded.checks.clear()
    report = json.loads(doctor("--json")[1])
    assert (report["repository"], report["verdict"]) == ("owner/flights", "fail")
    assert [one["guard"] for one in report["findings"] if one["state"] == "BAD"] == ["all-green"]
