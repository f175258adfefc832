"""The documents say what is so: links lead somewhere, commands exist, tables equal the code."""

import os
import re
from pathlib import Path

import pytest

from mlops.cli import GROUPS
from mlops.gate import RULES

FOLDERS = sorted(Path().glob("[a-z]*/README.md"))
MACHINERY = Path("machinery")
OURS = {
    MACHINERY / "README.md",
    MACHINERY / "benchmarks/README.md",
    *MACHINERY.glob("docs/**/*.md"),
}
# What the other pages say, and whether they are there at all, is a fork's own affair.
PAGES = [
    page if page in OURS else pytest.param(page, marks=pytest.mark.example)
    for page in sorted({Path("README.md"), *OURS, *FOLDERS})
]
YOURS = ("README.md", "data", "model", "loadtests", "environments", "params.yaml")
MAKEFILE = Path("machinery/mlops/machinery.mk").read_text("utf-8")


def dangling(page):
    """The files, from the root, that a page's relative links name and that are not there."""
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if not link.startswith("http") and not (page.parent / link).exists():
            yield Path(os.path.normpath(page.parent / link))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page):
    """Every relative link names a file that is there, or one that a fork may have removed."""
    assert [link for link in dangling(page) if link.parts[0] not in YOURS] == []


@pytest.mark.example
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_to_what_a_fork_replaces_lead_somewhere(page):
    """Here all of it is there."""
    assert not list(dangling(page))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_make_targets_exist(page):
    """Every make command in a page is a target of the Makefile."""
    text = page.read_text("utf-8")
    commands = re.findall(r"(?m)(?:^|`)make((?: [a-z][a-z-]*)+)", text)
    targets = {word for command in commands for word in command.split()}
    known = set(re.findall(r"(?m)^([a-z-]+(?: [a-z-]+)*):", MAKEFILE))
    known = {word for names in known for word in names.split()}
    known |= {step for names in GROUPS.values() for step in names}
    assert targets - known == set()


pytestmark = pytest.mark.fast


def test_the_table_of_rules_is_the_registry():
    """machinery/docs/gate.md lists every rule, with its own sentence."""
    text = Path("machinery/docs/gate.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| ([A-Z]\d{3}) \| (.*) \|$", text)
    assert rows == [(rule.id, rule.sentence) for rule in RULES]


@pytest.mark.example
def test_the_readme_is_short():
    """At most 120 lines, the first command by line 25."""
    lines = Path("README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 120
    assert next(i for i, line in enumerate(lines, 1) if line.startswith("make ")) <= 25


@pytest.mark.example
def test_yours_and_machinery_are_told_alike():
    """The README's table and the first line of each folder's README agree."""
    text = Path("README.md").read_text("utf-8")
    whose = dict(re.findall(r"(?m)^\| `([a-z]+)/` \| (yours|machinery) \|", text))
    for page in Path().glob("[a-z]*/README.md"):
        owner = page.read_text("utf-8").split(maxsplit=1)[0].strip(":.").lower()
        assert whose[page.parent.name] == owner


def test_every_page_is_listed():
    """machinery/docs/README.md names every page beside it."""
    index = Path("machinery/docs/README.md").read_text("utf-8")
    pages = {page.name for page in Path("machinery/docs").glob("*.md")} - {"README.md"}
    assert [page for page in pages if f"({page})" not in index] == []


def test_no_two_rules_share_an_id():
    """An id names one sentence in every report, message and page."""
    code = "".join(path.read_text("utf-8") for path in Path("machinery/mlops").rglob("*.py"))
    ids = re.findall(r"(?m)^[A-Z_]+ = \w+\(\s*\"([A-Z]\d{3})\"", code)
    assert len(ids) > 50
    assert sorted(ids) == sorted(set(ids))
