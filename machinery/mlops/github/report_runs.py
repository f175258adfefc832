"""The report of a pull request's run: find the pull request and read the artifact.

Code that nobody has reviewed yet wrote the artifact. So only numbers are read from it, and the code
of this checkout writes the report.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops.errors import Refused
from mlops.github import runs
from mlops.github.api import GitHub

# A run of any other workflow does not count: a fork may name a workflow as it likes.
WORKFLOW = ".github/workflows/ci.yml"
ARTIFACT = "report"
RECORD, CHECK = "record.json", "data-check.json"
# CML's mark in its comment; `make comment` and the posting action use the same title.
WATERMARK = "CML watermark report"


@dataclass(frozen=True)
class Run:
    """A run for a pull request: the commit it checked out, with its branch and repository."""

    id: int
    head: str
    branch: str
    repository: str

    def of_fork(self, github: GitHub) -> bool:
        """Return whether its code came from another repository."""
        return self.repository.lower() != github.repository.lower()


def pull_request_run(github: GitHub, number: str) -> Run:
    """Return a run of the pull-request workflow; raises Refused for any other."""
    about = runs.find(github, number)
    path = runs.workflow(about)
    if about["event"] != "pull_request" or path != WORKFLOW:
        raise Refused(
            f"run {number} is of {path}, started by {about['event']}: only a run of {WORKFLOW} "
            "for a pull request has a report to post."
        )
    return Run(about["id"], about["head_sha"], about["head_branch"], runs.home(about))


def open_pull(github: GitHub, run: Run) -> int:
    """Return the open pull request whose head is the run's commit; raises Refused if none."""
    owner = run.repository.partition("/")[0]
    head = quote(f"{owner}:{run.branch}", safe="")
    pulls = github.get_all(f"pulls?state=open&head={head}")
    # Two forks of one owner may have a branch of the same name.
    pulls = [
        pull for pull in pulls if (pull["head"]["repo"] or {}).get("full_name") == run.repository
    ]
    for pull in pulls:
        if pull["head"]["sha"] == run.head:
            return pull["number"]
    if pulls:
        raise Refused(
            f"pull request {pulls[0]['number']} is at {pulls[0]['head']['sha'][:12]} "
            f"by now; run {run.id} checked {run.head[:12]}. Post the report of its newest run."
        )
    raise Refused(f"no open pull request comes from {run.branch} of {run.repository}.")


def fetch(github: GitHub, run: Run) -> dict[str, Any]:
    """Return the JSON files in a run's artifact by name; raises Refused for unexpected content."""
    return runs.read(github, run.id, ARTIFACT, (RECORD, CHECK))


def hijacked(github: GitHub, number: int) -> bool:
    """Return whether a person's comment has CML's mark.

    CML would write the report into that comment, and its author could edit it afterwards.
    """
    comments = github.get_all(f"issues/{number}/comments")
    marked = [one for one in comments if WATERMARK in (one["body"] or "")]
    return any((one["user"] or {}).get("type") != "Bot" for one in marked)
