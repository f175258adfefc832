"""The locked requirements say what pyproject.toml asks for, and can be installed anywhere."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.fast

LOCKS = ("requirements.txt", "requirements-serve.txt")


def read(path: str) -> dict:
    """Read a TOML file."""
    return tomllib.loads(Path(path).read_text(encoding="utf-8"))


PROJECT, MACHINERY = read("pyproject.toml"), read("machinery/pyproject.toml")["project"]
PACKAGE = MACHINERY["name"]
EXTRAS = MACHINERY["optional-dependencies"]


def expanded(texts: list[str]) -> list[Requirement]:
    """Return requirements with the machinery's own, in place of its package, among them."""
    asked = [Requirement(text) for text in texts]
    machinery = next(requirement for requirement in asked if requirement.name == PACKAGE)
    texts = [
        *MACHINERY["dependencies"],
        *(t for extra in sorted(machinery.extras) for t in EXTRAS[extra]),
    ]
    return [r for r in asked if r.name != PACKAGE] + [Requirement(text) for text in texts]


ASKED = expanded(PROJECT["project"]["dependencies"])
SERVED = expanded(PROJECT["dependency-groups"]["serve"])


def locked(lock: str) -> dict[str, Requirement]:
    """Read the pinned requirements of a lock, by name."""
    lines = re.findall(r"^[a-z0-9].*?(?= \\$)", Path(lock).read_text(encoding="utf-8"), re.M)
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def version(requirement: Requirement) -> str:
    """Return the one version a pinned requirement allows."""
    (pin,) = requirement.specifier
    assert pin.operator == "=="
    return pin.version


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_lock_keeps_the_bounds(asked):
    assert version(locked("requirements.txt")[asked.name.lower()]) in asked.specifier


@pytest.mark.parametrize("asked", SERVED, ids=str)
def test_what_the_service_imports_is_in_its_lock(asked):
    assert asked.name.lower() in locked("requirements-serve.txt")


def test_the_service_runs_the_versions_the_model_was_trained_with():
    everything = locked("requirements.txt")
    for name, requirement in locked("requirements-serve.txt").items():
        assert version(requirement) == version(everything[name])


def test_the_service_installs_no_frame_library():
    assert not {"pandas", "pyarrow", "scikit-learn"} & set(locked("requirements-serve.txt"))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock):
    for block in re.split(r"^(?=[a-z0-9])", Path(lock).read_text(encoding="utf-8"), flags=re.M)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(lock):
    assert not re.search(
        r"://|file:|^-|--(extra-)?index|--find-links", Path(lock).read_text("utf-8"), re.M
    )


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_one_xgboost_a_machine(lock, platform):
    found = [
        name
        for name, requirement in locked(lock).items()
        if name in ("xgboost", "xgboost-cpu")
        and requirement.marker.evaluate({"sys_platform": platform})
    ]
    assert len(found) == 1, "both write the folder xgboost/: the last one installed wins"
