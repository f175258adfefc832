"""A tag becomes a release of the machinery only if it is one; a published wheel stays as it is."""

import pytest

from mlops import __version__
from mlops.errors import Refused, UserError
from mlops.upgrading import manifest, publishing

TAG = f"v{__version__}"
# It writes down what it is asked for, and knows a release where the file `known` is.
GH = """\
#!/bin/sh
printf '%s\\n' "$*" >> "{log}"
[ "$2" != view ] || [ -e "{folder}/known" ]
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A machinery of one file, released, with its wheel; the working directory."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "machinery/mlops"
    package.mkdir(parents=True)
    (package / "one.py").write_text("", "utf-8")
    project = f'[project]\nname = "mlops-machinery"\nversion = "{__version__}"\n'
    (tmp_path / "machinery/pyproject.toml").write_text(project, "utf-8")
    log = f"# Changelog\n\n## {__version__} (2026-01-01)\n\n- New.\n\n## 0.1.0 (2025)\n\n- Old.\n"
    (tmp_path / "machinery/CHANGELOG.md").write_text(log, "utf-8")
    (tmp_path / manifest.MANIFEST).write_text(manifest.text(__version__), "utf-8")
    wheel = tmp_path / f"build/wheel/mlops_machinery-{__version__}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"wheel")
    return tmp_path


@pytest.fixture
def asked(tree, monkeypatch):
    """A gh that plays GitHub; what it was asked for, a line a call."""
    log = tree / "asked"
    program = tree / "bin/gh"
    program.parent.mkdir()
    program.write_text(GH.format(log=log, folder=tree), "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return log


@pytest.mark.usefixtures("tree")
def test_the_tag_of_an_unchanged_release_is_accepted(capsys):
    publishing.check(TAG)
    assert f"{TAG}: every file is as {manifest.MANIFEST}" in capsys.readouterr().out


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize("tag", ["v0.0.1", __version__, ""])
def test_a_tag_of_another_version_is_refused(tag):
    with pytest.raises(Refused, match=f"the tag is {tag or 'none'}, and in machinery/") as refused:
        publishing.check(tag)
    assert f"pyproject.toml has {__version__}" in str(refused.value)


def test_a_version_that_was_not_released_is_refused(tree):
    (tree / manifest.MANIFEST).unlink()
    with pytest.raises(Refused, match="RELEASE has unreleased"):
        publishing.check(TAG)


def test_a_machinery_that_differs_from_its_release_is_refused_by_its_files(tree):
    (tree / "machinery/mlops/one.py").write_text("changed", "utf-8")
    with pytest.raises(Refused, match="machinery/mlops/one.py differ from machinery/RELEASE"):
        publishing.check(TAG)


def test_the_wheel_is_attached_with_what_the_changelog_says(asked):
    publishing.publish(TAG)
    view, create, *notes = asked.read_text("utf-8").splitlines()
    assert view == f"release view {TAG}"
    assert create.startswith(f"release create {TAG} build/wheel/") and "--verify-tag" in create
    assert "- New." in " ".join((create, *notes)) and "- Old." not in " ".join(notes)


def test_a_wheel_that_is_published_is_never_replaced(tree, asked):
    """`gh release upload` fails for a file that is there, unless it is told to clobber it."""
    (tree / "known").touch()
    publishing.publish(TAG)
    _, upload = asked.read_text("utf-8").splitlines()
    assert upload.startswith(f"release upload {TAG} ") and "--clobber" not in upload


@pytest.mark.parametrize("name", [None, "other.whl"])
def test_another_wheel_is_not_published(tree, asked, name):
    (wheel,) = tree.glob("build/wheel/*")
    if name:
        wheel.rename(wheel.with_name(name))
    else:
        wheel.unlink()
    with pytest.raises(
        UserError, match="build/wheel holds (other.whl|nothing), not mlops_machinery"
    ):
        publishing.publish(TAG)
    assert not asked.exists()


def test_what_gh_says_is_passed_on(tree, asked):
    """As where the token may not write."""
    program = tree / "bin/gh"
    program.write_text("#!/bin/sh\necho 'HTTP 403' >&2\nexit 1\n", "utf-8")
    with pytest.raises(UserError, match="gh did not publish the wheel: HTTP 403"):
        publishing.publish(TAG)
    assert not asked.exists()
