"""When the workflow that runs here last ended well, asked on a runner with nothing installed."""

import json
import os
from http.client import HTTPException
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from mlops.errors import UserError


def last_success(ref: str, *partial: str) -> str:
    """Return the commit of the last run on a branch that succeeded, empty where there is none.

    A run started by one of the `partial` events may have done a part only, and does not count.
    Raises UserError where GitHub does not say.
    https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
    """
    told = os.environ.get
    workflow = told("GITHUB_WORKFLOW_REF", "").partition("@")[0].rpartition("/")[2]
    place = f"repos/{told('GITHUB_REPOSITORY')}/actions/workflows/{workflow}/runs"
    branch = ref.removeprefix("refs/heads/")
    query = urlencode({"branch": branch, "status": "success", "per_page": 100})
    headers = {"Accept": "application/vnd.github+json"}
    if token := told("GITHUB_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = Request(f"{told('GITHUB_API_URL')}/{place}?{query}", headers=headers)
    try:
        with urlopen(request, timeout=30) as answer:
            runs = json.load(answer)["workflow_runs"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        text = f"GitHub does not say when {workflow or 'this'} last succeeded: {error}"
        raise UserError(text) from None
    # A fork's branch may be named so as well.
    ignored = {"pull_request", *partial}
    return next((run["head_sha"] for run in runs if run["event"] not in ignored), "")
