"""A checkout from the folder that plays GitHub: the ref asked for, as deep as asked for."""

import os
import subprocess
from pathlib import Path

from machinery.tests.workflows.standins.standin import INPUTS, output, tell

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


ref = INPUTS.get("ref") or os.environ["GITHUB_SHA"]
branch = ref.removeprefix("refs/heads/")
# As the real one does: a push to a branch leaves the working copy on that branch.
if not INPUTS.get("ref") and os.environ.get("GITHUB_REF", "").startswith("refs/heads/"):
    branch = os.environ["GITHUB_REF"].removeprefix("refs/heads/")
git("init", "--quiet")
git("remote", "add", "origin", forge.as_uri())
deep = INPUTS.get("fetch-depth") == "0"
depth = () if deep else ("--depth", INPUTS.get("fetch-depth") or "1")
known = subprocess.run(
    ["git", "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"], cwd=forge, check=False
)
if deep:
    git("fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*", "--tags")
git("fetch", "--quiet", *depth, "origin", ref if INPUTS.get("ref") else os.environ["GITHUB_SHA"])
commit = git("rev-parse", "FETCH_HEAD")
if INPUTS.get("sparse-checkout"):
    git("sparse-checkout", "set", "--no-cone", *INPUTS["sparse-checkout"].split())
if known.returncode == 0:
    git("update-ref", f"refs/remotes/origin/{branch}", commit)
    git("checkout", "--quiet", "-B", branch, commit)
else:
    git("checkout", "--quiet", "--detach", commit)
output("ref", ref)
output("commit", commit)
