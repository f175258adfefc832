"""Post build/comment.md without CML: edit the report's comment on a pull request, or create it.

The report's comment has our mark and the workflows' account as its author. `gh pr comment
--edit-last` could edit the comment of another workflow of the same account.
"""

import os
import sys

from mlops.cli import exit_code_of
from mlops.console import say
from mlops.github.api import GitHub
from mlops.github.report_runs import WATERMARK
from mlops.paths import COMMENT

AUTHOR = "github-actions[bot]"
MARK = "<!-- the report of this repository's gate -->"


def main() -> int:
    """Edit or create the comment; returns the exit code."""
    github, number = GitHub.here(), int(os.environ["PULL_REQUEST"])
    text = f"{COMMENT.read_text(encoding='utf-8').rstrip()}\n\n{MARK}"
    comments = github.get_all(f"issues/{number}/comments")
    ours = [one for one in comments if (one["user"] or {}).get("login") == AUTHOR and _marked(one)]
    if ours:
        # Keep CML's mark, by which CML finds its comment again.
        watermarks = [line for line in ours[-1]["body"].splitlines() if WATERMARK in line]
        body = {"body": "\n\n".join((text, *watermarks))}
        github.send("PATCH", f"issues/comments/{ours[-1]['id']}", body)
    else:
        github.send("POST", f"issues/{number}/comments", {"body": text})
    say("comment", f"{'edited' if ours else 'created'} on pull request {number}, without CML")
    return 0


def _marked(comment: dict) -> bool:
    body = comment["body"] or ""
    return MARK in body or WATERMARK in body


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
