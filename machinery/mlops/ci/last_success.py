"""The last success of the running workflow, read without any installed package."""

import json
import os
from http.client import HTTPException
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from mlops.errors import UserError


def last_success(ref: str, *partial: str) -> str:
    """Return the commit of the last run on a branch that succeeded, "" if there is none.

    A run started by one of the `partial` events may have done only a part, so it does not count.
    Raises UserError if GitHub does not answer.
    https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
    """
    variable = os.environ.get
    workflow = variable("GITHUB_WORKFLOW_REF", "").partition("@")[0].rpartition("/")[2]
    path = f"repos/{variable('GITHUB_REPOSITORY')}/actions/workflows/{workflow}/runs"
    branch = ref.removeprefix("refs/heads/")
    query = urlencode({"branch": branch, "status": "success", "per_page": 100})
    headers = {"Accept": "application/vnd.github+json"}
    if token := variable("GITHUB_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = Request(f"{variable('GITHUB_API_URL')}/{path}?{query}", headers=headers)
    try:
        with urlopen(request, timeout=30) as answer:
            runs = json.load(answer)["workflow_runs"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        text = f"GitHub does not report when {workflow or 'this'} last succeeded: {error}"
        raise UserError(text) from None
    # A pull request's run may come from a branch of that name in a fork.
    ignored = {"pull_request", *partial}
    return next((run["head_sha"] for run in runs if run["event"] not in ignored), "")
