"""A checkout from the folder that plays GitHub, as actions/checkout v7.0.1 makes it.

What is fetched and checked out follows its src/ref-helper.ts and src/git-source-provider.ts: the
commit of the event at depth 1, detached for a pull request and on the branch for a push; all
branches and tags with `fetch-depth: 0`.
"""

import os
import re
import subprocess
from pathlib import Path
from uuid import uuid4

from machinery.tests.workflows.standins.standin import INPUTS, output, tell

ALL_TAGS = "+refs/tags/*:refs/tags/*"
HEADS, PULLS, TAGS = "refs/heads/", "refs/pull/", "refs/tags/"

tell("actions/checkout")
repository = INPUTS.get("repository") or os.environ["GITHUB_REPOSITORY"]
forge = Path(os.environ["STANDIN_FORGES"]) / f"{repository.lower()}.git"
assert forge.is_dir(), f"there is no repository {repository} here"
folder = Path(os.environ["GITHUB_WORKSPACE"]) / (INPUTS.get("path") or ".")
folder.mkdir(parents=True, exist_ok=True)


def git(*words: str) -> str:
    """Run git in the folder checked out to."""
    done = subprocess.run(["git", *words], cwd=folder, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()


def has(ref: str) -> bool:
    """Return whether a ref was fetched."""
    command = ["git", "show-ref", "--verify", "--quiet", ref]
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


def asked() -> tuple[str, str]:
    """Return the ref and the commit to check out; one of them may be empty."""
    ref = INPUTS.get("ref") or ""
    if re.fullmatch("[0-9a-f]{40}", ref):
        return "", ref
    if ref:
        return ref, ""
    if repository.lower() != os.environ["GITHUB_REPOSITORY"].lower():
        words = ["git", "symbolic-ref", "HEAD"]
        return subprocess.check_output(words, cwd=forge, text=True).strip(), ""
    ref = os.environ["GITHUB_REF"]
    return ref if ref.startswith("refs/") else f"{HEADS}{ref}", os.environ["GITHUB_SHA"]


def whole(ref: str, commit: str) -> list[str]:
    """Return what is fetched with the whole history."""
    found = [f"+{HEADS}*:refs/remotes/origin/*", ALL_TAGS]
    if ref.startswith(PULLS):
        found.append(f"+{commit or ref}:refs/remotes/pull/{ref.removeprefix(PULLS)}")
    return found


def targeted(ref: str, commit: str) -> list[str]:
    """Return what is fetched at a depth: one commit, or what a name may mean."""
    tags = [ALL_TAGS] if INPUTS.get("fetch-tags") == "true" else []
    if ref.startswith(HEADS):
        return [*tags, f"+{commit or ref}:refs/remotes/origin/{ref.removeprefix(HEADS)}"]
    if ref.startswith(PULLS):
        return [*tags, f"+{commit or ref}:refs/remotes/pull/{ref.removeprefix(PULLS)}"]
    if ref.startswith(TAGS):
        return tags or [f"+{ref}:{ref}"]
    if commit:
        return [*tags, commit]
    if ref.startswith("refs/"):
        return [*tags, f"+{ref}:{ref}"]
    named = [f"+{HEADS}{ref}*:refs/remotes/origin/{ref}*", f"+{TAGS}{ref}*:{TAGS}{ref}*"]
    return [*tags, *(named[:1] if tags else named)]


def is_fetched(ref: str, commit: str) -> bool:
    """Return whether the event's commit came along: its branch may have moved on since."""
    if not commit or ref.startswith((PULLS, TAGS)):
        return True
    if not ref:
        words = ["git", "cat-file", "-e", commit]
        return subprocess.run(words, cwd=folder, check=False).returncode == 0
    branch = f"refs/remotes/origin/{ref.removeprefix(HEADS)}"
    return has(branch) and git("rev-parse", branch) == commit


def fetch(ref: str, commit: str) -> None:
    """Fetch as deep as asked for."""
    words = ["fetch", "--quiet", "--no-tags", "--prune", "--no-recurse-submodules"]
    if INPUTS.get("sparse-checkout"):
        words.append("--filter=blob:none")
    depth = int(INPUTS.get("fetch-depth") or 1)
    if depth > 0:
        git(*words, f"--depth={depth}", "origin", *targeted(ref, commit))
        return
    git(*words, "origin", *whole(ref, commit))
    if not is_fetched(ref, commit):
        git(*words, "origin", *targeted(ref, commit))


def start(ref: str, commit: str) -> tuple[str, ...]:
    """Return what `git checkout` is given: a branch and where it starts, or what is detached."""
    if ref.startswith(PULLS):
        return (f"refs/remotes/pull/{ref.removeprefix(PULLS)}",)
    branch = ref.removeprefix(HEADS)
    if ref and has(f"refs/remotes/origin/{branch}"):
        return ("-B", branch, f"refs/remotes/origin/{branch}")
    if not ref or ref.startswith(TAGS):
        return (ref or commit,)
    if ref.startswith("refs/"):
        return (commit or ref,)
    assert has(f"{TAGS}{ref}"), f"A branch or tag with the name '{ref}' could not be found"
    return (f"{TAGS}{ref}",)


def authorise() -> Path:
    """Let the folder's git show the token, from a file beside it; return that file."""
    file = Path(os.environ["RUNNER_TEMP"]) / f"git-credentials-{uuid4()}.config"
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    token = INPUTS.get("token") or os.environ.get("GITHUB_TOKEN", "")
    header = f'[http "{server}/"]\n\textraheader = AUTHORIZATION: basic {token}\n'
    file.write_text(header, "utf-8")
    git("config", "--local", f"includeIf.gitdir:{folder.resolve()}/.git.path", str(file))
    return file


def run() -> None:
    """Make the checkout."""
    ref, commit = asked()
    git("init", "--quiet")
    git("remote", "add", "origin", forge.as_uri())
    git("config", "--local", "gc.auto", "0")
    file = authorise()
    fetch(ref, commit)
    if INPUTS.get("sparse-checkout"):
        cone = INPUTS.get("sparse-checkout-cone-mode", "true") != "false"
        words = INPUTS["sparse-checkout"].split()
        git("sparse-checkout", "set", "--cone" if cone else "--no-cone", *words)
    git("checkout", "--quiet", "--force", *start(ref, commit))
    if INPUTS.get("persist-credentials") == "false":
        git("config", "--local", "--unset", f"includeIf.gitdir:{folder.resolve()}/.git.path")
        file.unlink()
    output("ref", ref)
    output("commit", git("rev-parse", "HEAD"))


run()
