"""machinery/RELEASE lists the machinery's files, and tells a patched one from an unchanged one."""

import subprocess

import pytest

from mlops.errors import UserError
from mlops.upgrading import manifest

pytestmark = pytest.mark.fast


@pytest.fixture
def released(tmp_path):
    """A small machinery with its manifest."""
    for name in ("machinery/mlops/gate.py", ".github/workflows/reusable-train.yml"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("as released\n", "utf-8")
    (tmp_path / manifest.MANIFEST).write_text(manifest.text("1.2.0", tmp_path), "utf-8")
    return tmp_path


def test_an_unchanged_machinery_is_as_released(released):
    assert manifest.machinery(released) == manifest.Machinery("1.2.0", True, ())


def test_caches_of_tools_and_files_of_the_team_are_no_part_of_it(released):
    """A release that was written where pytest had run lists nothing of pytest's."""
    for name in ("machinery/.pytest_cache/x", "machinery/mlops/__pycache__/x.pyc", "model/x.py"):
        (released / name).parent.mkdir(parents=True)
        (released / name).write_text("x", "utf-8")
    assert manifest.machinery(released).as_released
    assert manifest.text("1.2.0", released).count("\n") == 3


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_a_patched_machinery_is_named(released, change):
    path = released / "machinery/mlops/gate.py"
    if change == "remove":
        path.unlink()
    else:
        path = path.with_name("new.py") if change == "add" else path
        path.write_text("patched\n", "utf-8")
    assert manifest.machinery(released).changed == (path.relative_to(released).as_posix(),)


def test_sha256sum_reads_it(released):
    command = ["sha256sum", "--check", "--quiet", str(manifest.MANIFEST)]
    assert subprocess.run(command, cwd=released, check=False).returncode == 0


def test_a_manifest_that_is_none_is_an_error(released):
    (released / manifest.MANIFEST).write_text("# 1.2.0\nnonsense\n", "utf-8")
    with pytest.raises(UserError, match="git checkout HEAD -- machinery/RELEASE"):
        manifest.machinery(released)
