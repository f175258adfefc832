"""The code speaks plainly: names hold things, verbs are the field's, one class has one name."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast

# A participle or a pronoun names nothing: a variable is named after the thing it holds.
VAGUE = set(
    "found told said made held kept wanted words place there given asked known seen had came them "
    "those".split()
)
# Code reports, prints, logs, records, states or lists.
TELL = re.compile(r"\b(tells?|told|said|says)\b", re.IGNORECASE)
# Two classes may share a name only where both are names of a contract.
SHARED = {
    "Params": "the team's model.Params is the section `model:` of params.yaml, read by our Params",
}
PRODUCT = sorted(
    path
    for top in ("data", "model", "loadtests", "machinery/mlops", "machinery/benchmarks")
    for path in Path(top).rglob("*.py")
)
OURS = [path for path in PRODUCT if path.parts[0] == "machinery"]


def stored(text: str) -> set[str]:
    """Return the names that a module's code assigns to."""
    nodes = ast.walk(ast.parse(text))
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def vague(text: str) -> list[str]:
    """Return the vague names that a module assigns to."""
    return sorted(stored(text) & VAGUE)


@pytest.mark.parametrize("path", OURS, ids=str)
def test_a_variable_is_named_after_the_thing_it_holds(path):
    assert vague(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", OURS, ids=str)
def test_code_reports_and_prints_and_logs(path):
    lines = path.read_text("utf-8").splitlines()
    assert [line for line in lines if TELL.search(line)] == []


def test_one_class_name_is_one_class():
    trees = [ast.parse(path.read_text("utf-8")) for path in PRODUCT]
    names = [n.name for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    assert {name for name, count in Counter(names).items() if count > 1} <= set(SHARED)


def test_the_check_refuses_what_it_is_for():
    """And leaves innocent code alone."""
    assert vague("found = 1\nfor place in ():\n    pass\n") == ["found", "place"]
    assert TELL.search("# It says so.") and not TELL.search("# It prints the tellers' essays.")
    assert vague("path = 1\nfor row in ():\n    pass\n") == []
