"""The bundle has the same bytes everywhere, and only the files that serving needs."""

import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from mlops.errors import UserError
from mlops.releases.bundle import unpack


def test_two_checkouts_pack_the_same_bytes(packaged_once, tmp_path):
    """The digest does not depend on the folder, the time, the umask or the user's settings."""
    clone = tmp_path / ".hidden" / "elsewhere"
    clone.parent.mkdir()
    subprocess.check_call(["git", "clone", "--quiet", packaged_once.path, clone])
    shutil.copytree(packaged_once.path / "build/models", clone / "build/models")
    for name in ("record.json", "verdict.json"):
        shutil.copy(packaged_once.path / "build" / name, clone / "build")
    strange = {"TZ": "Asia/Tokyo", "MLOPS_WORKERS": "3", "PYTHONHASHSEED": "7", "LANG": "C"}
    command = ["sh", "-c", 'umask 077; exec "$@"', "sh", *packaged_once.command("package")]
    subprocess.check_call(command, cwd=clone, env={**packaged_once.environ, **strange})
    packed = next((clone / "build/store").rglob("*.tar"))
    assert packed.read_bytes() == packaged_once.bundle.read_bytes()


def test_it_holds_what_serving_needs_and_no_more(unpacked):
    """Code of model and data, the model, the record, the schema and the lock."""
    names = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.*")}
    metadata = {"bento.yaml", "env/python/requirements.txt", "src/record.json", "src/schema.json"}
    code = {"src/data/__init__.py", "src/model/__init__.py", "src/trained/model.json"}
    assert metadata | code <= names
    machinery = {path.name for path in (unpacked / "src/mlops").iterdir()} - {"__pycache__"}
    assert machinery == {"__init__.py", "errors.py", "files.py", "exit.py", "serving"}


def test_its_record_is_the_identity_alone(unpacked):
    """Timings and comparisons would change the digest of the same model."""
    record = json.loads((unpacked / "src/record.json").read_text())
    assert {"source", "data", "params", "model"} <= record.keys()
    assert not {"evaluation", "cost"} & record.keys()


def test_git_ignored_files_stay_out(packaged_once, checkout):
    """A file that is not part of the commit is not packed."""
    checkout.write("model/__pycache__/secret.py", "token = 1")
    assert checkout.run("package").returncode == 0
    assert checkout.bundle.read_bytes() == packaged_once.bundle.read_bytes()


def test_the_home_of_bentoml_is_left_alone(packaged_once):
    """Packing leaves nothing in the user's home, nor beside the store."""
    assert not (packaged_once.path.parent / "home/bentoml").exists()
    names = {path.name for path in (packaged_once.path / "build").iterdir()}
    assert names == {"cache", "models", "record.json", "release.yaml", "store", "verdict.json"}


def test_a_model_that_needs_a_package_outside_the_lock_is_not_packed(checkout):
    """The package is installed here but not in the image; the error names it and the remedy."""
    code = (checkout.path / "model/__init__.py").read_text()
    checkout.write("model/__init__.py", f"import xdist\n{code}")
    checkout.train()
    done = checkout.run("package")
    assert done.returncode == 2 and not (checkout.path / "build/release.yaml").exists()
    assert "The packed model gave no answer" in done.stderr
    assert "Add pytest-xdist to the group `serve` in pyproject.toml" in done.stderr


def test_a_model_that_fails_when_packed_shows_where(checkout):
    """The way through the team's files, which a last line alone would hide."""
    code = (checkout.path / "model/__init__.py").read_text()
    old = "def load(folder):\n"
    new = f"{old}    _require_beside(folder)\n"
    assert code.count(old) == 1
    helper = (
        'def _require_beside(folder):\n    if folder.name == "trained":\n        raise OSError(5)\n'
    )
    checkout.write("model/__init__.py", code.replace(old, new) + helper)
    checkout.train()
    done = checkout.run("package")
    assert done.returncode == 2 and "The packed model gave no answer: " in done.stderr
    assert re.findall(r'File "(model/\S+)", line \d+, in (\w+)', done.stderr) == [
        ("model/__init__.py", "load"),
        ("model/__init__.py", "_require_beside"),
    ]
    assert "mlops/serving/scorer.py" not in done.stderr


def test_unpacking_refuses_other_bytes(packaged_once, tmp_path):
    """A file with another digest is not the bundle."""
    changed = tmp_path / "bundle.tar"
    changed.write_bytes(packaged_once.bundle.read_bytes() + b"\0")
    with pytest.raises(UserError, match="its digest is sha256:"):
        unpack(changed, packaged_once.release.promoted.bundle.digest, tmp_path / "into")
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("name", ["src/model/__init__.py", "src/numpy.py"])
def test_unpacking_again_repairs_a_changed_folder(packaged_once, tmp_path, name):
    """A changed or added file in the unpacked folder is gone afterwards."""
    digest = packaged_once.release.promoted.bundle.digest
    into = unpack(packaged_once.bundle, digest, tmp_path / "into")
    (into / name).write_text("raise SystemExit")
    unpack(packaged_once.bundle, digest, into)
    with tarfile.open(packaged_once.bundle) as tar:
        assert {str(p.relative_to(into)) for p in into.rglob("*") if p.is_file()} == set(
            tar.getnames()
        )
        assert (into / "src/model/__init__.py").stat().st_size == tar.getmember(
            "src/model/__init__.py"
        ).size


def test_an_unchanged_folder_stays(packaged_once, tmp_path):
    """A running service keeps its files during a second deployment of the same release."""
    digest = packaged_once.release.promoted.bundle.digest
    into = unpack(packaged_once.bundle, digest, tmp_path / "into")
    before = os.stat(into).st_ino
    assert os.stat(unpack(packaged_once.bundle, digest, into)).st_ino == before
