"""Plays gh: takes these words only; its own comments are those of its token's user."""

import os
import sys
from pathlib import Path

from tests.workflows.posting.talk import post

pr, comment, number, *options, file = sys.argv[1:]
assert (pr, comment) == ("pr", "comment") and number.isdecimal()
assert options == ["--edit-last", "--create-if-none", "--body-file"]
assert os.environ["GH_REPO"] == os.environ["GITHUB_REPOSITORY"]
body = f'{Path(file).read_text("utf-8")}\nposted by gh'
MINE = "github-actions[bot]"
post(number, os.environ["GH_TOKEN"], body, lambda comment: comment["user"]["login"] == MINE)
