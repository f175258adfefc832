"""The report of somebody's run: whose pull request it is, and what its artifact says.

What an artifact holds was written by code nobody has read yet. Only two JSON files of it are read,
of bounded size; what becomes of them is written here, by the report's own code.
"""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops.errors import Refused, UserError
from mlops.forge.github import GitHub

# A run of any other workflow says nothing: a fork may name one as it likes.
WORKFLOW = ".github/workflows/ci.yml"
ARTIFACT = "report"
RECORD, CHECK = "record.json", "data-check.json"
# The example's artifact has 0.1 MB, its record 40 kB: room for a hundred times as much.
MOST_PACKED, MOST_BYTES = 20_000_000, 4_000_000
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
    if not number.isascii() or not number.isdecimal():
        raise UserError(
            f"--run is {number!r}; the id of a run is a number, the last in its address."
        )
    found = github.get(f"actions/runs/{number}")
    if found is None:
        raise UserError(f"{github.repository} has no run {number}. Its address ends in its id.")
    path = found["path"].partition("@")[0]
    if found["event"] != "pull_request" or path != WORKFLOW:
        raise Refused(
            f"run {number} is of {path}, started by {found['event']}: only a run of {WORKFLOW} "
            "for a pull request has a report to post."
        )
    # Without a fork that is gone there is no pull request to find either.
    home = (found.get("head_repository") or {}).get("full_name", "a fork that is gone")
    return Run(found["id"], found["head_sha"], found["head_branch"], home)


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
    found = [a for a in github.get_all(f"actions/runs/{run.id}/artifacts") if a["name"] == ARTIFACT]
    # A run that was started again has one of each attempt.
    newest = max(found, key=lambda artifact: artifact["id"], default=None)
    if newest is None or newest["expired"]:
        raise Refused(
            f"run {run.id} has no artifact {ARTIFACT!r}: it did not get that far, or it expired."
        )
    packed = github.download(f"actions/artifacts/{newest['id']}/zip", MOST_PACKED)
    if packed is None:
        text = f"the artifact {ARTIFACT!r} of run {run.id} has over {MOST_PACKED:,} bytes."
        raise Refused(text)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            return {name: _read(archive, name) for name in (RECORD, CHECK)}
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError) as error:
        raise Refused(f"the artifact of run {run.id} cannot be unpacked: {error}.") from None


def _read(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        with archive.open(name) as file:
            # What the archive says of its size is not believed.
            content = file.read(MOST_BYTES + 1)
    except KeyError:
        raise Refused(f"the artifact holds no {name}.") from None
    if len(content) > MOST_BYTES:
        raise Refused(f"{name} in the artifact has more than {MOST_BYTES:,} bytes.")
    try:
        return json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} in the artifact is no JSON: {str(error)[:100]}.") from None


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def hijacked(github: GitHub, number: int) -> bool:
    """Return whether somebody else's comment carries the mark that CML finds its own by.

    CML would write the report into that comment, which its author may edit afterwards.
    """
    comments = github.get_all(f"issues/{number}/comments")
    marked = [one for one in comments if WATERMARK in (one["body"] or "")]
    return any((one["user"] or {}).get("type") != "Bot" for one in marked)
