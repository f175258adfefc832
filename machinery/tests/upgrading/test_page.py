"""machinery/docs/fork.md: how many lines a fork has in either way, within a twentieth."""

import re
import subprocess
from pathlib import Path

import pytest

from mlops.upgrading import thin

pytestmark = [pytest.mark.fast, pytest.mark.example]
PAGE = Path("machinery/docs/fork.md").read_text("utf-8")


def test_the_lines_of_a_fork_are_counted():
    """With the command that the page shows, and once more without what leaves."""
    command = re.search(r"```bash\n(git ls-files .*) \| xargs -0 cat \| wc -l\n", PAGE)[1]
    listed = subprocess.check_output(["bash", "-c", command], text=True)
    names = [name for name in listed.split("\0") if Path(name).is_file()]
    stays = [name for name in names if not name.startswith(thin.MACHINERY) or name == thin.SIGNS]
    row = re.search(r"\| lines of a fork \| ([\d,]+) in .*? \| ([\d,]+) in ", PAGE)
    for stated, files in zip(row.groups(), (names, stays), strict=True):
        lines = sum(Path(name).read_bytes().count(b"\n") for name in files)
        assert int(stated.replace(",", "")) == pytest.approx(lines, rel=0.05)
