"""A clone with the real environments, through which one release with an image was promoted."""

import os
import re
import shutil
import subprocess
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlops import cli, git
from mlops.files import digest
from mlops.releases import environments
from mlops.releases.release import (
    Bundle,
    Contract,
    Data,
    Image,
    Promoted,
    Release,
    ReleasedModel,
    Source,
    new_release,
    read_release,
    write_release,
)
from mlops.targets import kustomize

ROOT = Path.cwd()
IMAGE = f"registry.example.com/team/churn@{digest(b'image')}"
BUNDLE = b"a bundle"
WHO = ("-c", "user.name=A Tester", "-c", "user.email=tester@example.org")


def run_git(*arguments):
    """Run git as somebody."""
    subprocess.run(["git", *WHO, *arguments], check=True, capture_output=True)


def package(image):
    """Leave build/release.yaml as `package` and `image` do."""
    promoted = Promoted(
        bundle=Bundle(digest=digest(BUNDLE), bytes=len(BUNDLE)),
        image=image and Image(ref=image, platform="linux/amd64"),
        model=ReleasedModel(name="churn", digest=digest(b"model"), bytes=5),
        data=Data(train=("one",), holdout=("two",), fingerprint=digest(b"data")),
        source=Source(commit=git.head()),
        contract=Contract(input=digest(b"input"), output=digest(b"output")),
    )
    write_release(Path("build/release.yaml"), new_release(promoted, []))


def begin(folder):
    """Make a clone with the environments as they are, but for evidence: that is not the subject."""
    shutil.copytree(ROOT / "environments", folder / "environments")
    for policy in folder.glob("environments/*/policy.yaml"):
        origin = re.search(r"(?m)^from: .*$", policy.read_text("utf-8"))[0]
        policy.write_text(f"{origin}\nevidence: []\n", "utf-8")
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / ".gitignore").write_text("/build/\n", "utf-8")
    run_git("init", "-q", "-b", "main")
    run_git("config", "user.name", "A Tester")
    run_git("config", "user.email", "tester@example.org")
    run_git("add", ".")
    run_git("commit", "-qm", "Begin")


def promote_everywhere():
    """Take what is packaged through every environment; promotions are real ones."""
    for name in environments.names():
        assert cli.main(["promote", "--env", name]) == cli.PASS


@pytest.fixture(scope="session")
def shipped_once(tmp_path_factory):
    """The clone after the promotions; never changed."""
    folder = tmp_path_factory.mktemp("shipped")
    with chdir(folder):
        begin(folder)
        package(IMAGE)
        promote_everywhere()
    return folder


@dataclass
class Answer:
    """How a command ended and all it printed."""

    code: int
    text: str


class Clone:
    """The clone that is the working directory."""

    image = IMAGE

    def __init__(self, capsys):
        self._capsys = capsys

    def mlops(self, *arguments):
        """Run a step as the command line does."""
        self._capsys.readouterr()
        code = cli.main(list(arguments))
        return Answer(code, "".join(self._capsys.readouterr()))

    def render(self, name="staging"):
        """Render an environment and return its objects by kind."""
        answer = self.mlops("render", "--env", name)
        assert answer.code == cli.PASS, answer.text
        text = Path(f"build/rendered/{name}.yaml").read_text("utf-8")
        return {one["kind"]: one for one in kustomize.objects(text)}

    def edit(self, path, old, new):
        """Change a file by hand and commit it."""
        text = Path(path).read_text("utf-8")
        assert text.count(old) >= 1, f"{path} lacks {old!r}"
        Path(path).write_text(text.replace(old, new), "utf-8")
        run_git("commit", "-qm", "by hand", "--", path)

    def ship(self, image):
        """Package and promote another release, with this image or none; return its id."""
        run_git("commit", "-q", "--allow-empty", "-m", "Another model")
        package(image)
        promote_everywhere()
        return read_release().release_id


@pytest.fixture
def clone(shipped_once, tmp_path, monkeypatch, capsys):
    """A clone to change at will."""
    folder = tmp_path / "clone"
    shutil.copytree(shipped_once, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return Clone(capsys)


@dataclass(frozen=True)
class Rendered:
    """An environment, what it holds and what of it is sent to a cluster, by kind."""

    environment: environments.Environment
    release: Release
    objects: dict[str, dict]


@pytest.fixture(scope="session", params=environments.names())
def rendered(request, shipped_once):
    """Each of the environments, rendered; never changed."""
    with chdir(shipped_once):
        environment = environments.environment(request.param)
        release = environment.release
        objects = kustomize.objects(kustomize.render(environment, release))
    return Rendered(environment, release, {one["kind"]: one for one in objects})
