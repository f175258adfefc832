"""The report of somebody's run: whose pull request it is, and what its artifact says.

What the artifact holds was written by code nobody has read yet. What becomes of it is written here,
by the report's own code.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops.errors import Refused
from mlops.github import runs
from mlops.github.api import GitHub

# A run of any other workflow says nothing: a fork may name one as it likes.
WORKFLOW = ".github/workflows/ci.yml"
ARTIFACT = "report"
RECORD, CHECK = "record.json", "data-check.json"
# What CML marks its comment with; `make comment` and the posting action say the same title.
WATERMARK = "CML watermark report"


@dataclass(frozen=True)
class Run:
    """A run that answered a pull request: the commit it saw, and where that lives."""

    id: int
    head: str
    branch: str
    place: str

    def of_fork(self, github: GitHub) -> bool:
        """Return whether its code came from another repository."""
        return self.place.lower() != github.repository.lower()


def the_run(github: GitHub, number: str) -> Run:
    """Return a run of the pull-request workflow; raises Refused for any other."""
    found = runs.find(github, number)
    path = runs.workflow(found)
    if found["event"] != "pull_request" or path != WORKFLOW:
        raise Refused(
            f"run {number} is of {path}, started by {found['event']}: only a run of {WORKFLOW} "
            "for a pull request has a report to post."
        )
    return Run(found["id"], found["head_sha"], found["head_branch"], runs.home(found))


def pull_of(github: GitHub, run: Run) -> int:
    """Return the open pull request whose head is the very commit a run saw; Refused when none."""
    owner = run.place.partition("/")[0]
    head = quote(f"{owner}:{run.branch}", safe="")
    pulls = github.get_all(f"pulls?state=open&head={head}")
    # Two forks of one owner may have a branch of the same name.
    pulls = [pull for pull in pulls if (pull["head"]["repo"] or {}).get("full_name") == run.place]
    for pull in pulls:
        if pull["head"]["sha"] == run.head:
            return pull["number"]
    if pulls:
        raise Refused(
            f"pull request {pulls[0]['number']} has moved on to {pulls[0]['head']['sha'][:12]}; "
            f"run {run.id} saw {run.head[:12]}. Post the report of its newest run."
        )
    raise Refused(f"no open pull request comes from {run.branch} of {run.place}.")


def fetch(github: GitHub, run: Run) -> dict[str, Any]:
    """Return the JSON files in a run's artifact by name; raises Refused for what is not as ours."""
    return runs.read(github, run.id, ARTIFACT, (RECORD, CHECK))


def hijacked(github: GitHub, number: int) -> bool:
    """Return whether somebody else's comment carries the mark that CML finds its own by.

    CML would write the report into that comment, which its author may edit afterwards.
    """
    comments = github.get_all(f"issues/{number}/comments")
    marked = [one for one in comments if WATERMARK in (one["body"] or "")]
    return any((one["user"] or {}).get("type") != "Bot" for one in marked)
