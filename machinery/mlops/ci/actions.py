"""What a step passes to GitHub Actions: outputs for later jobs, and the summary of the run.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from mlops.errors import Refused, UserError
from mlops.rules import Verdict

# A longer reason is cut to this many characters.
WIDTH = 1000


def inside() -> bool:
    """Return whether this runs in a job of GitHub Actions, or of a program that emulates it."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def output(name: str, value: str) -> None:
    """Set an output of the running workflow step; does nothing outside Actions."""
    # Nobody can guess this delimiter, so a value of several lines cannot set another output.
    end = f"end-{uuid4().hex}"
    _append("GITHUB_OUTPUT", f"{name}<<{end}\n{value}\n{end}\n")


def summary(markdown: str) -> None:
    """Add Markdown to the page of the run; does nothing outside Actions."""
    _append("GITHUB_STEP_SUMMARY", f"{markdown.rstrip()}\n\n")


def verdict(what: str, result: Verdict, reason: str) -> None:
    """Add a verdict and its reason, which begins with a rule's id, to the page of the run."""
    # Imported here because `plan` uses this module on a runner without installed packages.
    from mlops.report.markdown import escape

    summary(f"### {what}: {result}\n\n{escape(reason, WIDTH)}")


def payload() -> dict[str, Any]:
    """Return GitHub's event that started the run, empty outside Actions."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        return {}
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"GITHUB_EVENT_PATH names {path}, which holds no event: {error}.") from None


def require_default_branch() -> None:
    """Raise Refused if a run was started by hand on another branch than the default one.

    Otherwise the unreviewed code of that branch would run with the rights of merged code.
    """
    if os.environ.get("GITHUB_EVENT_NAME") != "workflow_dispatch":
        return
    branch = payload().get("repository", {}).get("default_branch", "main")
    ref = os.environ.get("GITHUB_REF", "")
    if ref != f"refs/heads/{branch}":
        raise Refused(
            f"this run was started on {ref or 'no branch'}; it may start on {branch} only, where "
            f"changes are approved. Choose Run workflow, Use workflow from: {branch}."
        )


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{variable} names {path}, which cannot be written: {error}.") from None
