"""The sealed release: its id, its file, and what a later version of the template may not break."""

from pathlib import Path

import pytest

from mlops import git
from mlops.config.documents import parse
from mlops.errors import UserError
from mlops.releases.release import (
    Document,
    Image,
    new_release,
    none_yet,
    parse_release,
    read_release,
    seal_of,
    sequence,
    short,
)
from mlops.releases.rules.integrity import parse_sealed

OLD = Path(__file__).with_name("release-v1.yaml")
IMAGE = Image(ref=f"ghcr.io/o/churn@sha256:{'a' * 64}", platform="linux/amd64")


def sealed(promoted):
    """The id these values are given here."""
    return new_release(promoted, []).release_id


def test_a_release_of_the_first_format_is_read_and_written_the_same():
    """Releases outlive the version of the template that made them: seal and bytes stay."""
    text = OLD.read_text("utf-8")
    assert parse_sealed(text, OLD).text == text


def test_the_id_names_model_day_number_and_seal(clone, promoted, monkeypatch):
    """The day is that of the commit, in UTC: packing twice gives one id."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-11-21T00:30:00+01:00")
    clone.commit("code.py", "answer = 43\n")
    value = promoted(git.head())
    assert sealed(value) == f"churn-20261120-0001-{value.seal}"


def test_the_catalogue_gives_the_number(clone, promoted):
    """The next release has the number after the highest there is."""
    clone.ship("dev")
    assert sequence(sealed(promoted(git.head(), "two"))) == 2


def test_what_is_in_the_catalogue_keeps_its_id(clone):
    """Packing again what was promoted is no new release."""
    release_id = clone.ship("dev")
    clone.ship("dev", model="two")
    assert clone.package(commit=clone.git("rev-parse", "HEAD~2")) == release_id


def test_every_value_is_sealed(promoted):
    """Another value anywhere in the block is another seal."""
    value = promoted()
    others = [
        value.model_copy(update={"bundle": promoted(model="two").bundle}),
        value.model_copy(update={"source": promoted(commit="1" * 40).source}),
        value.model_copy(update={"settings": {"threshold": "0.42"}}),
        value.model_copy(update={"image": IMAGE}),
    ]
    assert len({value.seal, *(other.seal for other in others)}) == 5


@pytest.mark.usefixtures("clone")
def test_an_image_is_in_the_file_only_where_there_is_one(promoted):
    """What a later version adds leaves older files as they are."""
    plain = promoted(git.head())
    with_image = plain.model_copy(update={"image": IMAGE})
    texts = [new_release(value, []).text for value in (plain, with_image)]
    assert ["image:" in text for text in texts] == [False, True]


def test_evidence_is_tied_to_the_id(clone):
    """The gate's verdict comes without an id and leaves with the release's."""
    release_id = clone.package()
    assert [e.release_id for e in read_release().spec.evidence] == [release_id]


def test_the_short_form():
    """The part that differs between releases of one model."""
    assert short("flights-late-20261121-0012-0123456789ab") == "0012-0123456789ab"


@pytest.mark.usefixtures("clone")
def test_a_seal_ends_an_id(promoted):
    """The last part of an id is the hash."""
    value = promoted(git.head())
    assert seal_of(sealed(value)) == value.seal


def test_a_file_that_holds_none_yet():
    """It is a valid object without a release."""
    assert parse_release(none_yet(), "here") is None


def test_a_file_that_is_not_there(tmp_path):
    """It holds none either."""
    assert read_release(tmp_path / "release.yaml") is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("releaseId:", "releaseID:", "releaseID: unknown key"),
        ("releaseId:", "release_id:", "release_id: unknown key"),
        ("mlops/v1", "machinery/mlops/v2", "apiVersion: found 'machinery/mlops/v2'"),
        ("local-config: 'true'", "local-config: 'false'", "metadata"),
        ("digest: sha256:7b", "digest: latest", "digest: found 'latest"),
        ("verdict: pass", "verdict: good", "verdict: found 'good'"),
        ("    source:\n", "    source:\n      commit: x\n", "is a duplicate"),
        ("bytes: 9", "bytes: '9'", "bytes: found '9'"),
        ("kind: Release", "kind: [Release", "cannot be read as YAML"),
    ],
)
def test_a_broken_file(old, new, message):
    """The message names the file, the line, the key and what was found."""
    text = OLD.read_text("utf-8")
    assert old in text
    with pytest.raises(UserError, match="^here") as error:
        parse(text.replace(old, new), "here", Document)
    assert message in str(error.value)


def test_the_nearest_key_is_named():
    """A typing error is mended without the manual."""
    text = OLD.read_text("utf-8").replace("supersedes:", "superseds:")
    with pytest.raises(UserError, match="Did you mean 'supersedes'"):
        parse(text, "here", Document)


def test_an_image_by_tag():
    """A tag can move; only a digest is taken."""
    with pytest.raises(ValueError, match="ref"):
        Image(ref="ghcr.io/o/churn:latest", platform="linux/amd64")


def test_settings_are_text(promoted):
    """No number, so that no float and no locale can change the hash."""
    values = promoted().model_dump()
    with pytest.raises(ValueError, match="threshold"):
        type(promoted()).model_validate({**values, "settings": {"threshold": 0.42}})
