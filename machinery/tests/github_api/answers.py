"""What the stand-in answers about pull requests, comments, labels, commits and branches."""

# pylint: disable=missing-function-docstring # its route says what a function answers

import json
from datetime import UTC, datetime

from machinery.tests.github_api.shapes import FILE
from machinery.tests.github_api.standin import Listing, Refuse, Request, route

SHAPES = json.loads(FILE.read_text("utf-8"))
NOT_FOUND = "Not Found"


def like(kind: str, /, **facts) -> dict:
    """Return the smallest answer of a kind with these facts in it."""
    return merged(json.loads(json.dumps(SHAPES[kind])), facts)


def merged(base: dict, facts: dict) -> dict:
    """Put facts into an answer, objects into objects."""
    for key, value in facts.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merged(base[key], value)
        else:
            base[key] = value
    return base


def now() -> str:
    """Return the time as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def commit(sha: str) -> dict:
    """Return a commit of which only the id is known."""
    return like("commit", sha=sha)


def user(login: str) -> dict:
    """Return a user in short; a login that ends in [bot] is a bot."""
    known = SHAPES["pull"]["user"]
    return known | {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"}


@route("GET", "/users/{login}")
def get_user(request: Request, login: str):
    known = request.github.users.get(login)
    if known is None and login != request.github.owner:
        raise Refuse(404, NOT_FOUND)
    return 200, like("user", login=login, type="User") | (known or {})


# ---- pull requests ----------------------------------------------------------


def pull_facts(request: Request, pull: dict) -> dict:
    """Return a pull request as the API shows it, its head as the branch is now."""
    github = request.github
    head, base = dict(pull["head"]), dict(pull["base"])
    own = head.get("repo", github.repository) == github.repository
    if pull["state"] == "open" and own:
        head["sha"] = github.branch(head["ref"]) or head.get("sha", "")
    base["sha"] = github.branch(base["ref"]) or base.get("sha", "")
    places = {
        "head": head | {"repo": place(head.get("repo", github.repository)), "label": head["ref"]},
        "base": base | {"repo": place(github.repository), "label": base["ref"]},
    }
    return pull | places | {"user": user(pull.get("user", github.owner))}


def place(name: str | None) -> dict | None:
    """Return a repository in short; None is one that was deleted."""
    return None if name is None else {"full_name": name, "name": name.split("/")[1]}


def shown(request: Request, pull: dict, kind: str = "pull") -> dict:
    facts = pull_facts(request, {k: v for k, v in pull.items() if k != "files"})
    facts["labels"] = [like("label", name=name) for name in pull.get("labels", [])]
    facts["html_url"] = f"https://github.com/{request.github.repository}/pull/{pull['number']}"
    answer = like(kind)
    if facts["head"]["repo"] is None:
        answer["head"]["repo"] = None
    return merged(answer, facts)


def the_pull(request: Request, number: str) -> dict:
    pull = request.github.pulls.get(int(number))
    if pull is None:
        raise Refuse(404, NOT_FOUND)
    return pull


@route("GET", "pulls")
def list_pulls(request: Request):
    asked = {"state": "open"} | request.query
    found = []
    for pull in sorted(request.github.pulls.values(), key=lambda pull: -pull["number"]):
        head = pull["head"]
        owner = (head.get("repo") or request.github.repository).split("/")[0]
        if asked["state"] not in ("all", pull["state"]):
            continue
        # GitHub ignores a head without its owner, and so shows every pull request.
        wanted = asked.get("head", "")
        if ":" in wanted and wanted != f"{owner}:{head['ref']}":
            continue
        if asked.get("base", pull["base"]["ref"]) == pull["base"]["ref"]:
            found.append(shown(request, pull, "pull-listed"))
    return 200, Listing(found)


@route("POST", "pulls")
def open_pull(request: Request):
    github, body = request.github, request.body
    owner, _, ref = body["head"].rpartition(":")
    for key, name in (("head", ref), ("base", body["base"])):
        if github.branch(name) is None:
            wrong = {"resource": "PullRequest", "field": key, "code": "invalid"}
            raise Refuse(422, "Validation Failed", wrong)
    for pull in github.pulls.values():
        if pull["state"] == "open" and pull["head"]["ref"] == ref:
            text = f"A pull request already exists for {owner or github.owner}:{ref}."
            wrong = {"resource": "PullRequest", "code": "custom", "message": text}
            raise Refuse(422, "Validation Failed", wrong)
    number = github.number()
    github.pulls[number] = {
        "number": number,
        "title": body["title"],
        "body": body.get("body"),
        "state": "open",
        "draft": body.get("draft", False),
        "created_at": now(),
        "updated_at": now(),
        "user": request.actor,
        "head": {"ref": ref},
        "base": {"ref": body["base"]},
    }
    return 201, shown(request, github.pulls[number])


@route("GET", "pulls/{number}")
def get_pull(request: Request, number: str):
    return 200, shown(request, the_pull(request, number))


@route("PATCH", "pulls/{number}")
def change_pull(request: Request, number: str):
    pull = the_pull(request, number)
    for key, value in request.body.items():
        pull[key] = {"ref": value} if key == "base" else value
    if request.body.get("state") == "closed":
        pull["closed_at"] = now()
        head, github = pull["head"], request.github
        head["sha"] = github.branch(head["ref"]) or head.get("sha", "")
    return 200, shown(request, pull)


@route("GET", "pulls/{number}/files")
def pull_files(request: Request, number: str):
    pull, github = the_pull(request, number), request.github
    names = pull.get("files")
    if names is None:
        facts = pull_facts(request, pull)
        span = f"{facts['base']['sha']}...{facts['head']['sha']}"
        names = (github.run_git("diff", "--name-only", span) or "").splitlines()
    return 200, Listing([like("file", filename=name, status="modified") for name in names])


@route("GET", "commits/{sha}/pulls")
def pulls_of(request: Request, sha: str):
    found = [shown(request, pull, "pull-listed") for pull in request.github.pulls.values()]
    return 200, Listing([pull for pull in found if pull["head"]["sha"] == sha])


# ---- comments and labels ----------------------------------------------------


def comment(request: Request, facts: dict) -> dict:
    base = f"{request.github.url}/repos/{request.github.repository}/issues"
    address = f"https://github.com/{request.github.repository}/pull/{facts['issue']}"
    links = {
        "url": f"{base}/comments/{facts['id']}",
        "issue_url": f"{base}/{facts['issue']}",
        "html_url": f"{address}#issuecomment-{facts['id']}",
    }
    plain = {"id": facts["id"], "body": facts["body"], "author_association": "NONE"}
    return like("comment", **plain, **links, user=user(facts["user"]))


@route("GET", "issues/{number}/comments")
def list_comments(request: Request, number: str):
    the_pull(request, number)
    found = [c for c in request.github.comments.values() if c["issue"] == int(number)]
    return 200, Listing([comment(request, facts) for facts in found])


@route("POST", "issues/{number}/comments")
def add_comment(request: Request, number: str):
    the_pull(request, number)
    new = request.github.number()
    facts = {"id": new, "issue": int(number), "user": request.actor, "body": request.body["body"]}
    request.github.comments[new] = facts
    return 201, comment(request, facts)


@route("PATCH", "issues/comments/{number}")
def change_comment(request: Request, number: str):
    facts = request.github.comments.get(int(number))
    if facts is None:
        raise Refuse(404, NOT_FOUND)
    facts["body"] = request.body["body"]
    return 200, comment(request, facts)


@route("POST", "issues/{number}/labels")
def label_pull(request: Request, number: str):
    pull = the_pull(request, number)
    pull["labels"] = sorted({*pull.get("labels", []), *request.body["labels"]})
    return 200, [like("label", name=name) for name in pull["labels"]]


@route("GET", "labels")
def list_labels(request: Request):
    return 200, Listing([like("label", **facts) for facts in request.github.labels.values()])


@route("POST", "labels")
def add_label(request: Request):
    name = request.body["name"]
    if name.lower() in map(str.lower, request.github.labels):
        wrong = {"resource": "Label", "code": "already_exists", "field": "name"}
        raise Refuse(422, "Validation Failed", wrong)
    request.github.labels[name] = request.body
    return 201, like("label", **request.body)


@route("PATCH", "labels/{name}")
def change_label(request: Request, name: str):
    if name not in request.github.labels:
        raise Refuse(404, NOT_FOUND)
    facts = request.github.labels.pop(name) | request.body
    facts["name"] = facts.pop("new_name", facts["name"])
    request.github.labels[facts["name"]] = facts
    return 200, like("label", **facts)


# ---- branches ---------------------------------------------------------------


def ref(request: Request, name: str) -> dict:
    sha = request.github.branch(name)
    if sha is None:
        raise Refuse(404, NOT_FOUND)
    return like("ref", ref=f"refs/heads/{name}", object={"sha": sha, "type": "commit"})


def move(request: Request, name: str, sha: str) -> None:
    github = request.github
    if github.git is None:
        github.branches[name] = sha
    elif github.run_git("update-ref", f"refs/heads/{name}", sha) is None:
        raise Refuse(422, "Object does not exist")


@route("GET", "git/ref/heads/{name+}")
def get_ref(request: Request, name: str):
    return 200, ref(request, name)


@route("POST", "git/refs")
def add_ref(request: Request):
    name = request.body["ref"].removeprefix("refs/heads/")
    if request.github.branch(name):
        raise Refuse(422, "Reference already exists")
    move(request, name, request.body["sha"])
    return 201, ref(request, name)


@route("PATCH", "git/refs/heads/{name+}")
def change_ref(request: Request, name: str):
    github, new = request.github, request.body["sha"]
    old = ref(request, name)["object"]["sha"]
    forward = not github.git or github.run_git("merge-base", "--is-ancestor", old, new) is not None
    if not forward and not request.body.get("force"):
        raise Refuse(422, "Update is not a fast forward")
    move(request, name, new)
    return 200, ref(request, name)


@route("DELETE", "git/refs/heads/{name+}")
def delete_ref(request: Request, name: str):
    ref(request, name)
    if request.github.git is None:
        del request.github.branches[name]
    else:
        request.github.run_git("update-ref", "-d", f"refs/heads/{name}")
    return 204, None


@route("GET", "branches/{name+}")
def get_branch(request: Request, name: str):
    sha = request.github.branch(name)
    if sha is None:
        raise Refuse(404, "Branch not found")
    return 200, like("branch", name=name, commit={"sha": sha})


@route("GET", "commits/{name}")
def get_commit(request: Request, name: str):
    github = request.github
    sha = github.branch(name) or name
    if github.git is not None:
        sha = github.run_git("rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}")
        if sha is None:
            raise Refuse(422, f"No commit found for SHA: {name}")
    return 200, commit(sha)


@route("GET", "commits/{name}/check-runs")
def list_checks(request: Request, name: str):
    sha = request.github.branch(name) or name
    wanted = request.query.get("check_name")
    names = [n for n in request.github.checks.get(sha, []) if wanted in (None, n)]
    facts = {"head_sha": sha, "status": "completed", "conclusion": "success"}
    return 200, Listing([like("check-run", name=n, **facts) for n in names], "check_runs")


@route("GET", "/repos/{elsewhere+}/commits/{sha}")
def get_commit_elsewhere(request: Request, elsewhere: str, sha: str):
    if sha not in request.github.elsewhere.get(elsewhere, []):
        raise Refuse(404, NOT_FOUND)
    return 200, commit(sha)
