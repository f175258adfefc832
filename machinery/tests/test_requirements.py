"""The locked requirements say what pyproject.toml asks for, and can be installed anywhere."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mlops.ci.lock_places import lines_for, pages_of

pytestmark = pytest.mark.fast

LOCKS = ("requirements.txt", "requirements-serve.txt")


def read(path: str) -> dict:
    """Read a TOML file."""
    return tomllib.loads(Path(path).read_text(encoding="utf-8"))


PLATFORMS = ("linux", "darwin", "win32")
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


def xgboosts(requirements, platform: str) -> list[str]:
    """Return the packages of XGBoost among the requirements that are for a platform."""
    return [
        one.name
        for one in requirements
        if one.name in ("xgboost", "xgboost-cpu")
        and (one.marker is None or one.marker.evaluate({"sys_platform": platform}))
    ]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_lock_keeps_the_bounds(asked):
    pinned = locked("requirements.txt")[canonicalize_name(asked.name)]
    assert version(pinned) in asked.specifier


@pytest.mark.parametrize("asked", SERVED, ids=str)
def test_what_the_service_imports_is_in_its_lock(asked):
    assert canonicalize_name(asked.name) in locked("requirements-serve.txt")


def test_the_service_runs_the_versions_the_model_was_trained_with():
    everything = locked("requirements.txt")
    for name, requirement in locked("requirements-serve.txt").items():
        assert version(requirement) == version(everything[name])


@pytest.mark.example
def test_the_service_installs_no_frame_library():
    assert not {"pandas", "pyarrow", "scikit-learn"} & set(locked("requirements-serve.txt"))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock):
    for block in re.split(r"^(?=[a-z0-9])", Path(lock).read_text(encoding="utf-8"), flags=re.M)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_but_those_of_pyproject(lock):
    text = Path(lock).read_text("utf-8")
    named = lines_for(text, pages_of(PROJECT.get("tool", {}).get("uv", {})))
    assert text.count(named) >= 1
    assert not re.search(
        r"://|file:|^-|--(extra-)?index|--find-links", text.replace(named, "", bool(named)), re.M
    )


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_xgboost_a_machine_where_one_is_asked_for(lock, platform):
    asked = xgboosts(ASKED if lock == "requirements.txt" else SERVED, platform)
    found = xgboosts(locked(lock).values(), platform)
    assert len(found) == bool(asked), "both write the folder xgboost/: the last one installed wins"


@pytest.mark.example
@pytest.mark.parametrize("asked", [ASKED, SERVED], ids=["all", "serve"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_example_asks_for_an_xgboost_on_every_machine(asked, platform):
    assert xgboosts(asked, platform)
