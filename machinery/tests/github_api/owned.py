"""What the stand-in answers about a repository itself: settings, rules, environments, Actions."""

# pylint: disable=missing-function-docstring # its route says what a function answers

from base64 import encodebytes
from zlib import crc32

from machinery.tests.github_api.answers import NOT_FOUND, like, now, place
from machinery.tests.github_api.standin import Elsewhere, File, Listing, Refuse, Request, route

PERMISSIONS = {
    "": {"enabled": True, "allowed_actions": "all", "sha_pinning_required": False},
    "selected-actions": {
        "github_owned_allowed": True,
        "verified_allowed": False,
        "patterns_allowed": [],
    },
    "workflow": {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False},
    "fork-pr-contributor-approval": {"approval_policy": "first_time_contributors"},
}


@route("GET", "")
def get_repository(request: Request):
    github = request.github
    owner = {"login": github.owner, "type": github.about.get("owner_type", "User")}
    facts = {"full_name": github.repository, "name": github.repository.split("/")[1]}
    defaults = {"default_branch": "main", "visibility": "public"}
    about = {key: value for key, value in github.about.items() if key != "owner_type"}
    return 200, like("repository", **facts, owner=owner) | defaults | about


@route("PATCH", "")
def change_repository(request: Request):
    if "squash_merge_commit_message" in request.body:
        if "squash_merge_commit_title" not in request.body:
            raise Refuse(422, "squash_merge_commit_message needs squash_merge_commit_title")
    taken = {k: v for k, v in request.body.items() if k not in request.github.deaf}
    request.github.about |= taken
    return get_repository(request)


# ---- rulesets ---------------------------------------------------------------


def ruleset(request: Request, number: str) -> dict:
    github = request.github
    found = github.rulesets.get(int(number)) or github.parent_rulesets.get(int(number))
    if found is None:
        raise Refuse(404, NOT_FOUND)
    return like("ruleset", source=request.github.repository, id=int(number), **found)


@route("GET", "rulesets")
def list_rulesets(request: Request):
    # As on GitHub, the list leaves out what the rules are.
    short = ("name", "target", "enforcement")
    found = [
        like("ruleset", source=request.github.repository, id=number)
        | {key: rules[key] for key in short if key in rules}
        for number, rules in request.github.rulesets.items()
    ]
    if request.query.get("includes_parents", "true") == "true":
        found += [
            like("ruleset", source=request.github.owner, source_type="Organization", id=number)
            | {key: rules[key] for key in short if key in rules}
            for number, rules in request.github.parent_rulesets.items()
        ]
    return 200, Listing(found)


@route("POST", "rulesets")
def add_ruleset(request: Request):
    number = request.github.number()
    request.github.rulesets[number] = request.body
    return 201, ruleset(request, str(number))


@route("GET", "rulesets/{number}")
def get_ruleset(request: Request, number: str):
    return 200, ruleset(request, number)


@route("PUT", "rulesets/{number}")
def change_ruleset(request: Request, number: str):
    ruleset(request, number)
    if int(number) not in request.github.rulesets:
        raise Refuse(404, NOT_FOUND)
    request.github.rulesets[int(number)] |= request.body
    return 200, ruleset(request, number)


@route("GET", "rules/branches/{name+}")
def rules_of(request: Request, name: str):
    found = []
    names = {f"refs/heads/{name}", "~ALL"}
    if name == request.github.about.get("default_branch", "main"):
        names.add("~DEFAULT_BRANCH")
    for number, rules in request.github.rulesets.items():
        included = rules.get("conditions", {}).get("ref_name", {}).get("include", [])
        if rules["enforcement"] == "active" and names & set(included):
            source = {"ruleset_source_type": "Repository", "ruleset_id": number}
            source["ruleset_source"] = request.github.repository
            found += [rule | source for rule in rules.get("rules", [])]
    return 200, Listing(found)


# ---- environments, variables, secrets ---------------------------------------


def environment(request: Request, name: str) -> dict:
    facts = request.github.environments.get(name)
    if facts is None:
        raise Refuse(404, NOT_FOUND)
    rules, policy = [], facts.get("deployment_branch_policy")
    if facts.get("reviewers"):
        shown = [{"type": r["type"], "reviewer": _reviewer(r)} for r in facts["reviewers"]]
        own = facts.get("prevent_self_review", False)
        rule = {"id": 1, "node_id": "", "type": "required_reviewers", "reviewers": shown}
        rules.append(rule | {"prevent_self_review": own})
    if policy:
        rules.append({"id": 2, "node_id": "", "type": "branch_policy"})
    return like("environment", name=name) | {
        "protection_rules": rules,
        "deployment_branch_policy": policy,
    }


def _reviewer(reviewer: dict) -> dict:
    from machinery.tests.github_api.answers import user

    if reviewer["type"] == "User":
        return user(reviewer.get("login", "owner")) | {"id": reviewer["id"]}
    team = {"id": reviewer["id"], "name": "", "slug": "", "description": None, "permission": ""}
    links = ("node_id", "url", "html_url", "members_url", "repositories_url")
    return team | {link: "" for link in links} | {"parent": None}


@route("GET", "environments")
def list_environments(request: Request):
    found = [environment(request, name) for name in request.github.environments]
    return 200, Listing(found, "environments")


@route("GET", "environments/{name}")
def get_environment(request: Request, name: str):
    return 200, environment(request, name)


@route("PUT", "environments/{name}")
def put_environment(request: Request, name: str):
    private = request.github.about.get("visibility", "public") != "public"
    if private and (request.body or {}).get("reviewers"):
        raise Refuse(
            422,
            "Failed to create the environment protection rule. Please ensure the "
            "billing plan supports the required reviewers protection rule.",
        )
    kept = request.github.environments.get(name, {"policies": []})
    request.github.environments[name] = kept | (request.body or {})
    return 200, environment(request, name)


@route("GET", "environments/{name}/secrets")
def list_environment_secrets(request: Request, name: str):
    environment(request, name)
    times = {"created_at": now(), "updated_at": now()}
    names = request.github.environment_secrets.get(name, [])
    return 200, Listing([{"name": one} | times for one in names], "secrets")


@route("GET", "environments/{name}/deployment-branch-policies")
def list_policies(request: Request, name: str):
    environment(request, name)
    names = request.github.environments[name].get("policies", [])
    return 200, Listing([_policy(one) for one in names], "branch_policies")


def _policy(branch: str) -> dict:
    # A number that stays when another one goes.
    return {"id": crc32(branch.encode()), "node_id": "", "name": branch, "type": "branch"}


@route("POST", "environments/{name}/deployment-branch-policies")
def add_policy(request: Request, name: str):
    environment(request, name)
    policies = request.github.environments[name].setdefault("policies", [])
    policies.append(request.body["name"])
    return 200, _policy(policies[-1])


@route("DELETE", "environments/{name}/deployment-branch-policies/{number}")
def remove_policy(request: Request, name: str, number: str):
    environment(request, name)
    policies = request.github.environments[name].get("policies", [])
    found = next((one for one in policies if _policy(one)["id"] == int(number)), None)
    if found is None:
        raise Refuse(404, NOT_FOUND)
    policies.remove(found)
    return 204, None


@route("GET", "actions/variables")
def list_variables(request: Request):
    times = {"created_at": now(), "updated_at": now()}
    found = [{"name": k, "value": v} | times for k, v in request.github.variables.items()]
    return 200, Listing(found, "variables")


@route("GET", "actions/secrets")
def list_secrets(request: Request):
    times = {"created_at": now(), "updated_at": now()}
    return 200, Listing([{"name": name} | times for name in request.github.secrets], "secrets")


# ---- Actions ----------------------------------------------------------------


def permission(request: Request, name: str) -> dict:
    return PERMISSIONS[name] | request.github.permissions.get(name, {})


def _change_permission(request: Request, name: str):
    request.github.permissions[name] = permission(request, name) | request.body
    return 204, None


@route("GET", "actions/permissions")
def get_permissions(request: Request):
    return 200, permission(request, "")


@route("PUT", "actions/permissions")
def put_permissions(request: Request):
    return _change_permission(request, "")


@route("GET", "actions/permissions/{name}")
def get_permission(request: Request, name: str):
    return 200, permission(request, name)


@route("PUT", "actions/permissions/{name}")
def put_permission(request: Request, name: str):
    return _change_permission(request, name)


def workflow(request: Request, name: str) -> dict:
    facts = request.github.workflows.get(name)
    if facts is None:
        raise Refuse(404, NOT_FOUND)
    path = f".github/workflows/{name}"
    return like("workflow", id=_id(request, name), name=name, path=path) | facts


def _id(request: Request, name: str) -> int:
    return 1 + list(request.github.workflows).index(name)


@route("GET", "actions/workflows")
def list_workflows(request: Request):
    found = [workflow(request, name) for name in request.github.workflows]
    return 200, Listing(found, "workflows")


@route("GET", "actions/workflows/{name}")
def get_workflow(request: Request, name: str):
    return 200, workflow(request, name)


@route("PUT", "actions/workflows/{name}/enable")
def enable_workflow(request: Request, name: str):
    workflow(request, name)
    request.github.workflows[name]["state"] = "active"
    return 204, None


@route("POST", "actions/workflows/{name}/dispatches")
def dispatch(request: Request, name: str):
    if name not in request.github.workflows:
        raise Refuse(404, NOT_FOUND)
    if request.github.branch(request.body["ref"]) is None:
        raise Refuse(422, f"No ref found for: {request.body['ref']}")
    inputs = request.body.get("inputs") or {}
    request.github.dispatches.append((name, request.body["ref"], inputs))
    return 204, None


def run(request: Request, facts: dict) -> dict:
    kept = {k: v for k, v in facts.items() if k not in ("head_repository", "workflow")}
    home = facts.get("head_repository", request.github.repository)
    answer = like("run", **{"status": "completed", "conclusion": "success"} | kept)
    answer["head_repository"] |= place(home)
    return answer


@route("GET", "actions/workflows/{name}/runs")
def list_runs_of(request: Request, name: str):
    workflow(request, name)
    found = [run(request, r) for r in request.github.runs if r.get("workflow") == name]
    keys = ("event", "branch", "status", "head_sha")
    for key in keys:
        if key in request.query:
            field = "head_branch" if key == "branch" else key
            found = [r for r in found if request.query[key] in (r[field], r["conclusion"])]
    return 200, Listing(found, "workflow_runs")


@route("GET", "actions/runs/{number}")
def get_run(request: Request, number: str):
    found = next((r for r in request.github.runs if r["id"] == int(number)), None)
    if found is None:
        raise Refuse(404, NOT_FOUND)
    return 200, run(request, found)


@route("GET", "actions/runs/{number}/jobs")
def list_jobs(request: Request, number: str):
    found = request.github.jobs.get(int(number), [])
    return 200, Listing([like("job") | job for job in found], "jobs")


@route("GET", "deployments")
def list_deployments(request: Request):
    asked = request.query.get("environment")
    found = [d for d in request.github.deployments if d["environment"] == asked]
    keys = ("id", "environment", "sha", "ref")
    # The newest first.
    shown = [like("deployment", **{k: d[k] for k in keys if k in d}) for d in found]
    return 200, Listing(shown[::-1])


@route("GET", "deployments/{number}/statuses")
def list_statuses(request: Request, number: str):
    found = next(d for d in request.github.deployments if d["id"] == int(number))
    page = f"https://github.com/{request.github.repository}/actions/runs/{found['run']}/job/1"
    return 200, Listing([like("deployment-status", state="queued", log_url=page)])


@route("GET", "actions/runs/{number}/artifacts")
def list_artifacts(request: Request, number: str):
    get_run(request, number)
    found = [a for a in request.github.artifacts if a["run"] == int(number)]
    return 200, Listing([_artifact(request, a) for a in found], "artifacts")


def _artifact(request: Request, facts: dict) -> dict:
    base = f"{request.github.url}/repos/{request.github.repository}/actions/artifacts"
    content = facts["content"]
    size = 0 if callable(content) else len(content)
    address = f"{base}/{facts['id']}/zip"
    kept = {k: facts[k] for k in ("id", "name")} | {"expired": facts.get("expired", False)}
    return like("artifact", **kept, size_in_bytes=size, archive_download_url=address)


@route("GET", "actions/artifacts/{number}/zip")
def download(request: Request, number: str):
    if not any(a["id"] == int(number) for a in request.github.artifacts):
        raise Refuse(404, NOT_FOUND)
    return 302, Elsewhere(f"{request.github.url}/storage/{number}")


@route("GET", "/storage/{number}")
def stored(request: Request, number: str):
    if request.token:
        raise Refuse(403, "The storage knows its own address only, and no token")
    request.github.on_download()
    found = next(a["content"] for a in request.github.artifacts if a["id"] == int(number))
    return 200, File(found() if callable(found) else found)


@route("GET", "/orgs/{org}/actions/runner-groups")
def list_groups(request: Request, org: str):
    if org != request.github.owner or request.github.about.get("owner_type") != "Organization":
        raise Refuse(404, NOT_FOUND)
    found = [like("runner-group") | group for group in request.github.runner_groups]
    return 200, Listing(found, "runner_groups")


@route("GET", "codeowners/errors")
def codeowners(request: Request):
    return 200, {"errors": request.github.codeowners_errors}


@route("GET", "contents/{path+}")
def contents(request: Request, path: str):
    if path not in request.github.files:
        raise Refuse(404, NOT_FOUND)
    text = request.github.files[path].encode()
    links = ("url", "git_url", "html_url", "download_url")
    about = {"type": "file", "name": path.rpartition("/")[2], "path": path, "sha": ""}
    content = {"encoding": "base64", "size": len(text), "content": encodebytes(text).decode()}
    empty = dict.fromkeys(("git", "html", "self"), request.github.url)
    return 200, about | content | dict.fromkeys(links, request.github.url) | {"_links": empty}
