"""The store is atomic and idempotent, and its content is always verified."""

import hashlib
from uuid import uuid4

import pytest

from mlops.errors import UserError
from mlops.releases.store import Store, cached


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["folder", "memory"])
def store(request):
    """A store of each kind, empty."""
    return Store("a/store" if request.param == "folder" else f"memory://{uuid4()}")


@pytest.fixture
def thing(tmp_path):
    """A file and its digest."""
    path = tmp_path / "thing"
    path.write_bytes(b"bytes" * 1000)
    return path, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def object_of(store, digest):
    """The file system of a store and the path of an object in it."""
    from fsspec.core import url_to_fs

    files, root = url_to_fs(store.url)
    name = digest.removeprefix("sha256:")
    return files, f"{root}/sha256/{name[:2]}/{name}.tar"


def test_a_stored_file_is_fetched(store, thing):
    """The same bytes arrive in a file below build/."""
    path, digest = thing
    assert store.put(path, digest) and store.has(digest)
    fetched = store.fetch(digest)
    assert fetched.read_bytes() == path.read_bytes() and fetched == cached(digest)


def test_putting_twice_does_it_once(store, thing):
    """The second time nothing is uploaded, and the object has no neighbour."""
    assert [store.put(*thing), store.put(*thing)] == [True, False]
    files, path = object_of(store, thing[1])
    assert len(files.find(path.rsplit("/", 1)[0])) == 1


def test_attachments_are_listed_by_digest_and_kind(store, thing):
    """A second copy of an attachment is not stored; different ones are."""
    digest, other = thing[1], "sha256:" + "0" * 64
    new = [store.attach(digest, "note", content) for content in (b"one", b"two", b"one")]
    store.attach(digest, "sbom", b"9")
    assert new == [True, True, False]
    assert sorted(store.attached(digest, "note")) == [b"one", b"two"]
    assert store.attached(digest, "sbom") == [b"9"] and store.attached(other, "note") == []


def test_an_attachment_does_not_stand_for_the_object(store, thing):
    """A signature does not replace a missing bundle."""
    store.attach(thing[1], "note", b"one")
    assert not store.has(thing[1])


def test_a_missing_object_is_named(store, thing):
    """The message names the object, the store and the step that builds it."""
    with pytest.raises(UserError, match="has no sha256/.*make package"):
        store.fetch(thing[1])


def test_other_bytes_are_refused_with_both_digests(store, thing):
    """A truncated or tampered object is neither used nor cached."""
    path, digest = thing
    store.put(path, digest)
    files, name = object_of(store, digest)
    files.pipe_file(name, b"tampered")
    actual = hashlib.sha256(b"tampered").hexdigest()
    with pytest.raises(UserError, match=f"{digest[7:]}.*{actual}.*Remove that object"):
        store.fetch(digest)
    assert not cached(digest).exists()


def test_putting_repairs_a_corrupt_object(store, thing):
    """A person with the right bytes can upload them again."""
    store.put(*thing)
    files, name = object_of(store, thing[1])
    files.pipe_file(name, b"tampered")
    assert store.put(*thing)
    assert store.fetch(thing[1]).read_bytes() == thing[0].read_bytes()


def test_a_changed_local_copy_is_fetched_anew(store, thing):
    """The cached copy below build/ is verified every time too."""
    store.put(*thing)
    store.fetch(thing[1]).write_bytes(b"changed")
    assert store.fetch(thing[1]).read_bytes() == thing[0].read_bytes()


def test_a_failed_upload_leaves_nothing(store, tmp_path):
    """A file that cannot be read leaves no partial object."""
    with pytest.raises(UserError):
        store.put(tmp_path / "absent", f"sha256:{'0' * 64}")
    assert not store.has(f"sha256:{'0' * 64}")


@pytest.mark.parametrize(
    "url, cause",
    [
        ("nonsense://there", "nonsense"),
        ("http://127.0.0.1:9/store", "ClientConnectorError"),
        ("thing/store", "NotADirectoryError|FileExistsError"),
    ],
)
def test_a_store_out_of_reach_is_an_error(thing, url, cause):
    """For an unknown protocol, a dead host or a file in the way it names the URL and the cause."""
    with pytest.raises(UserError, match=f"store '{url}' cannot be used: .*({cause})"):
        Store(url).put(*thing)


def test_a_host_that_is_down_is_not_reported_as_a_missing_object(thing):
    """fsspec itself reports its files as absent."""
    with pytest.raises(UserError, match="cannot be used: ClientConnectorError"):
        Store("http://127.0.0.1:9/store").fetch(thing[1])


def test_a_store_may_be_in_the_home(thing, tmp_path, monkeypatch):
    """`~` is expanded, as in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    Store("~/store").put(*thing)
    assert (tmp_path / "store/sha256").is_dir()


def test_a_store_s_password_is_not_printed(thing):
    """An error shows the URL without user and password."""
    with pytest.raises(UserError, match=r"store 'ftp://\*\*\*@127.0.0.1:9/store' cannot") as error:
        Store("ftp://me:hunter2@127.0.0.1:9/store").put(*thing)
    assert "hunter2" not in str(error.value)


def test_a_driver_that_is_not_installed_is_named(thing):
    """For a known protocol without its package, the error names the package."""
    with pytest.raises(UserError, match="needs a driver.*s3fs.*pyproject.toml"):
        Store("s3://bucket/models").fetch(thing[1])
