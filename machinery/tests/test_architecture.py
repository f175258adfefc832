"""The house keeps its shape: who may import whom, and what is slow stays out of the way."""

import ast
import re
from pathlib import Path

import pytest

YOURS = ("data", "model", "loadtests")

pytestmark = pytest.mark.fast


def modules():
    """The Python files of the product, tests apart."""
    tops = (*YOURS, "machinery/mlops", "machinery/benchmarks")
    return sorted(path for top in tops for path in Path(top).rglob("*.py"))


def source(path):
    """The text of a module."""
    return path.read_text("utf-8")


def imported(path):
    """The names a module imports anywhere in it, as dotted names."""
    for node in ast.walk(ast.parse(source(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import(path):
    """The top-level packages imported when the module is, functions and type checks apart."""
    for node in ast.parse(source(path)).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", [path for path in modules() if path.parts[0] in YOURS], ids=str)
def test_yours_never_imports_machinery(path):
    """A fork replaces data/ and model/ whole, so nothing of the machinery may be in them."""
    assert [name for name in imported(path) if name.split(".")[0] == "mlops"] == []


@pytest.mark.parametrize("path", [p for p in modules() if p.parts[0] not in YOURS], ids=str)
def test_only_the_contract_imports_yours(path):
    """Machinery meets a team's code in one place."""
    assert [name for name in imported(path) if name.split(".")[0] in YOURS] == []


@pytest.mark.parametrize("path", [p for p in modules() if p.parts[1] == "mlops"], ids=str)
def test_what_runs_needs_no_benchmark(path):
    """Figures are measured with the machinery, never the other way round."""
    assert [name for name in imported(path) if name.split(".")[0] == "benchmarks"] == []


def test_a_team_s_code_is_imported_by_name_in_two_places():
    """The contract here, and the scorer in a bundle, where there is no params.yaml to read."""
    found = {
        path for path in modules() if re.search(r'import_module\((name|"model")', source(path))
    }
    assert found == {
        Path("machinery/mlops/training/contract.py"),
        Path("machinery/mlops/serving/scorer.py"),
    }


@pytest.mark.parametrize("path", sorted(Path("machinery/mlops/steps").glob("[a-z]*.py")), ids=str)
def test_steps_never_import_steps(path):
    """They meet in files, as jobs meet in artifacts."""
    assert [name for name in imported(path) if name.startswith("mlops.steps")] == []


@pytest.mark.parametrize("path", [p for p in modules() if p.parts[1] == "mlops"], ids=str)
def test_nothing_imports_a_step_but_the_command_line(path):
    """The command line finds steps by name; nouns know nothing of verbs."""
    assert [name for name in imported(path) if name.startswith("mlops.steps")] == []


# Each room may import those before it. The first one, which every bundle brings, imports none.
ROOMS = ("serving", "training", "releases", "container", "targets", "retraining", "github", "steps")


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_downwards(room):
    """A release knows nothing of the places that run it or of the site that proposes it."""
    above = {f"mlops.{name}" for name in ROOMS[ROOMS.index(room) + 1 :]}
    paths = [path for path in modules() if path.parts[1:3] == ("mlops", room)]
    upwards = {
        f"{path}: {name}"
        for path in paths
        for name in imported(path)
        if ".".join(name.split(".")[:2]) in above
    }
    assert paths and not upwards


@pytest.mark.parametrize("path", sorted(Path("machinery/mlops").glob("*.py")), ids=str)
def test_what_all_rooms_share_imports_no_room(path):
    """Modules beside the rooms, such as git.py, are below all of them."""
    rooms = {folder.parent.name for folder in Path("machinery/mlops").glob("*/__init__.py")}
    names = (name.split(".") for name in imported(path))
    assert [name for name in names if name[0] == "mlops" and name[1:2] and name[1] in rooms] == []


def test_there_is_no_import_cycle():
    """Imports point one way."""
    graph = {}
    for path in modules():
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        name = name.removeprefix("machinery.")
        graph[name] = set(imported(path))
    graph = {name: {n for n in names if n in graph and n != name} for name, names in graph.items()}
    while leaves := {name for name, names in graph.items() if not names}:
        graph = {name: names - leaves for name, names in graph.items() if name not in leaves}
    assert not graph


@pytest.mark.parametrize("path", sorted(Path("machinery/mlops/steps").glob("*.py")), ids=str)
def test_a_step_imports_no_heavy_library_at_the_top(path):
    """`--help` imports every step, so heavy libraries are imported in functions."""
    heavy = {"pandas", "sklearn", "xgboost", "bentoml", "pandera", "matplotlib", "fsspec", "numpy"}
    assert set(at_import(path)) & heavy == set()
