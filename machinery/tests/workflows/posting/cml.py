"""Plays CML's bin/cml.js at the pinned commit: takes these words only, makes the same calls."""

import os
import sys
from pathlib import Path

from machinery.tests.workflows.posting.talk import post

MARK = "CML watermark report"
*words, target, publish, title, file = sys.argv[1:]
assert words == ["comment", "update"], words
assert target.startswith("--target=pr/") and target[12:].isdecimal(), target
assert (publish, title) == ("--publish=false", "--watermark-title=report")
assert os.environ["ITERATIVE_DO_NOT_TRACK"] == "1"
assert "GITHUB_TOKEN" not in os.environ, "one token is enough"
body = f'{Path(file).read_text("utf-8")}\n\n![](https://cml.dev/watermark.png#abc "{MARK}")'
post(target[12:], os.environ["REPO_TOKEN"], body, lambda comment: MARK in comment["body"])
