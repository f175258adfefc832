"""machinery/docs/fork.md: an upgrade takes, replaces and merges what the page lists."""

import re
from pathlib import Path

import pytest

from mlops.cli import step_module
from mlops.upgrading import layout, manifest, template

PAGE = Path("machinery/docs/fork.md").read_text("utf-8").partition("## A newer machinery")[2]

pytestmark = pytest.mark.fast


def test_its_options_are_those_of_the_step():
    """A flag or a variable that the page names is taken, and make hands the variable on."""
    flags = {option.flag for option in step_module("upgrade").OPTIONS}
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) <= flags
    makefile = Path("machinery/mlops/machinery.mk").read_text("utf-8")
    variables = set(re.findall(r"\b(FROM|REF|WAS|DRY)=", PAGE))
    assert variables == {"FROM", "REF", "WAS", "DRY"}
    assert [name for name in variables if f"$(if $(value {name})" not in makefile] == []


def test_what_is_replaced_is_what_the_manifest_lists():
    row = next(line for line in PAGE.splitlines() if "replaced, whole" in line)
    for pattern in manifest.PATTERNS:
        assert pattern.removesuffix("**/*").rpartition("workflows/")[2] in row


def test_what_is_merged_is_what_the_page_lists():
    row = next(line for line in PAGE.splitlines() if "| merged with your changes" in line)
    cell = row.split("|")[1]
    assert {name.removesuffix("*") for name in layout.MERGED} == set(re.findall("`([^`]+)`", cell))
    assert str(template.FILE) in PAGE


@pytest.mark.example
def test_every_file_at_the_top_has_a_row():
    """A new file of the template is replaced, merged, renewed, or the team's."""
    tops = {path.name for path in Path().iterdir() if path.is_file() and path.name != ".git"}
    known = {name for name in tops if layout.is_merged(name) or f"`{name}`" in PAGE}
    ours = {"README.md"} | {name for name in tops if re.fullmatch(r"requirements.*\.txt", name)}
    assert tops - known - ours == set()
