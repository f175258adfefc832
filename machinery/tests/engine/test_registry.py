"""A real registry as the store, and copies from one registry to another."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from machinery.tests.engine import tokens
from machinery.tests.waiting import HANG_SECONDS
from mlops.container import images
from mlops.container.registry import OciRepository
from mlops.errors import Refused, UserError
from mlops.releases.store import Store, cached

# `secret`, as htpasswd hashes it.
PASSWORD = "robot:$2b$04$lxy4R29v0HWNTLDlH0snyeSEwCBFx3mRPRd7dk64aIyyxdDONDmOi"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLOPS_STORE", raising=False)


@pytest.fixture
def store(registry, request):
    """An empty store in the registry, with capitals since a GitHub owner may have them."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    return Store(f"oci://{registry.host}/Acme/{name}")


@pytest.fixture
def thing(tmp_path):
    """A file and its digest."""
    path = tmp_path / "thing"
    path.write_bytes(os.urandom(100_000))
    return path, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_a_stored_file_is_fetched(store, thing):
    """A second upload of the same file does nothing."""
    path, digest = thing
    assert not store.has(digest)
    assert [store.put(path, digest), store.put(path, digest)] == [True, False]
    assert store.has(digest) and store.fetch(digest).read_bytes() == path.read_bytes()


def test_attachments_stay_beside_it(store, thing):
    """There may be several of a kind, as in a folder."""
    _, digest = thing
    new = [store.attach(digest, "note", content) for content in (b"one", b"two", b"one")]
    assert new == [True, True, False]
    assert sorted(store.attached(digest, "note")) == [b"one", b"two"] and not store.has(digest)


def test_other_bytes_are_refused(store, registry, thing):
    """They are changed on the registry's own disk; every fetch computes the digest."""
    path, digest = thing
    store.put(path, digest)
    registry.blob(digest).write_bytes(b"tampered")
    with pytest.raises(UserError, match="holds other bytes"):
        store.fetch(digest)
    assert not cached(digest).exists()


def test_a_tag_that_was_moved_is_refused(store, thing):
    """Anybody who may push may move a tag, so the store compares the digest."""
    path, digest = thing
    store.put(path, digest)
    path.write_bytes(b"another model")
    OciRepository(store.url.removeprefix("oci://")).push(path, f"{digest[7:]}.tar")
    with pytest.raises(UserError, match="holds other bytes"):
        store.fetch(digest)


KILLED = """
import os, signal, sys
from pathlib import Path
from mlops.container.registry import OciRepository
from mlops.releases.store import Store
OciRepository._publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Store(sys.argv[1]).put(Path(sys.argv[2]), sys.argv[3])
"""


def test_a_killed_upload_is_invisible(store, thing):
    """The kill comes after the blobs and before the manifest; a second upload completes it."""
    path, digest = thing
    command = [sys.executable, "-c", KILLED, store.url, str(path), digest]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert not store.has(digest)
    assert store.put(path, digest) and store.fetch(digest)


def test_the_variable_wins(store, thing, monkeypatch):
    """A workflow names the registry, and the committed files need no change."""
    store.put(*thing)
    monkeypatch.setenv("MLOPS_STORE", store.url)
    assert Store("build/store").has(thing[1])


@pytest.fixture
def guarded(new_registry, tmp_path_factory):
    """A registry that asks for a password."""
    folder = tmp_path_factory.mktemp("password")
    (folder / "htpasswd").write_text(PASSWORD + "\n")
    return new_registry(f'auth: {{htpasswd: {{realm: here, path: "{folder}/htpasswd"}}}}')


def test_a_password_is_that_of_docker_login(guarded, thing, tmp_path, monkeypatch, caplog):
    """Without it the error names the command to log in; with it the store works."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    store = Store(f"oci://{guarded.host}/acme/guarded")
    with pytest.raises(UserError, match=f"docker login {guarded.host}"):
        store.put(*thing)
    assert not caplog.records
    _log_in(tmp_path, guarded.host, "robot:secret")
    assert store.put(*thing) and store.fetch(thing[1])


def _log_in(folder, host, user):
    """Write the file that `docker login` writes."""
    auth = base64.b64encode(user.encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


@pytest.fixture
def with_tokens(new_registry, tmp_path, monkeypatch):
    """A registry with tokens, like GitHub's, without a login; and the authority that signs them."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    authority = tokens.Authority()
    (tmp_path / "trusted.pem").write_bytes(authority.certificate)
    with tokens.serving(authority) as realm:
        options = f"realm: {realm}, service: registry, issuer: tokens"
        auth = f"auth: {{token: {{{options}, rootcertbundle: {tmp_path}/trusted.pem}}}}"
        yield new_registry(auth), authority


def test_a_token_is_requested_for_each_action(with_tokens, thing, tmp_path):
    """A user with the right writes; a client without a login reads."""
    (registry, authority), name = with_tokens, "acme/with-tokens"
    _log_in(tmp_path, registry.host, "writer:secret")
    assert Store(f"oci://{registry.host}/{name}").put(*thing)
    assert ("writer:secret", name, {"pull", "push"}) in authority.requests
    (tmp_path / "config.json").unlink()
    assert Store(f"oci://{registry.host}/{name}").fetch(thing[1])
    assert authority.requests[-1] == ("", name, {"pull"})


@pytest.mark.parametrize("user", ["reader:secret", "writer:wrong", ""])
def test_a_user_without_the_right_to_write_gets_an_error(with_tokens, thing, tmp_path, user):
    """The error names the command to log in, and the registry stays empty."""
    registry, _ = with_tokens
    if user:
        _log_in(tmp_path, registry.host, user)
    with pytest.raises(UserError, match=f"docker login {registry.host}"):
        Store(f"oci://{registry.host}/acme/fares").put(*thing)
    assert not (
        registry.folder / "data/docker/registry/v2/repositories/acme/fares/_manifests"
    ).exists()


def test_an_expired_token_is_renewed(with_tokens, thing, tmp_path):
    """A step may take longer than a token lives."""
    registry, authority = with_tokens
    _log_in(tmp_path, registry.host, "writer:secret")
    authority.seconds = 2
    repository = OciRepository(f"{registry.host}/acme/fares")
    assert repository.push(thing[0], "first")
    before = len(authority.requests)
    time.sleep(3)
    assert repository.tags() == ["first"] and repository.push(thing[0], "second")
    assert len(authority.requests) > before


def test_a_registry_that_is_down_is_an_error_within_seconds(thing):
    """The retries take seconds, not minutes."""
    begun = time.monotonic()
    with pytest.raises(UserError, match="registry 127.0.0.1:9 cannot be reached"):
        Store("oci://127.0.0.1:9/acme").put(*thing)
    assert time.monotonic() - begun < HANG_SECONDS


@pytest.mark.parametrize("name", ["ghcr.io", "acme/flights", "ghcr.io/acme/flights:v1", "a b.c/d"])
def test_an_invalid_repository_name_is_refused(name):
    """A name has a host and a path, and nothing else."""
    with pytest.raises(UserError, match="is no repository of a registry"):
        OciRepository(name)


def test_the_error_for_an_invalid_name_hides_the_password():
    """The message may appear in a pull request."""
    with pytest.raises(UserError, match=r"^'\*\*\*@ghcr.io/acme' is no repository"):
        OciRepository("me:hunter2@ghcr.io/acme")


def test_a_promotion_copies_digests(built, fork, registry, new_registry):
    """Image, bundle and attachments arrive in another registry unchanged, also the second time."""
    promoted, other = built.promoted, f"{new_registry().host}/production/fares"
    store = f"oci://{registry.host}/acme/fares"
    Store(store).attach(promoted.bundle.digest, "note", b"signed")
    for _ in range(2):
        images.copy_to_mirror(promoted, other, store)
    target, digest = OciRepository(other), images.split(promoted.image)[1]
    assert target.manifest(digest).digest == digest
    assert images.find_image(target, digest, promoted).ref == f"{other}@{digest}"
    moved = Store(f"oci://{other}")
    assert moved.attached(promoted.bundle.digest, "note") == [b"signed"]
    fetched = moved.fetch(promoted.bundle.digest).read_bytes()
    assert fetched == (fork.folder / cached(promoted.bundle.digest)).read_bytes()


def test_a_missing_layer_stops_the_copy(built, registry, new_registry):
    """The error names a layer that the registry lost or changed, and nothing is published."""
    source, digest = images.split(built.promoted.image)
    fields = source.manifest(digest).fields
    # Docker 29 pushes an index: the image, and its provenance.
    if "layers" not in fields:
        fields = source.manifest(fields["manifests"][0]["digest"]).fields
    layer = fields["layers"][-1]["digest"]
    file, other = registry.blob(layer), f"{new_registry().host}/production/fares"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(UserError, match="holds other bytes|cannot be reached"):
        images.copy_to_mirror(built.promoted, other, "build/store")
    file.write_bytes(content)
    assert OciRepository(other).tags() == []


def test_an_image_of_another_release_is_refused(built):
    """The refusal names every label that differs."""
    source, digest = images.split(built.promoted.image)
    for field, change in (
        ("source", {"commit": "0" * 40}),
        ("model", {"digest": f"sha256:{'0' * 64}"}),
        ("bundle", {"digest": f"sha256:{'0' * 64}"}),
    ):
        part = getattr(built.promoted, field).model_copy(update=change)
        other = built.promoted.model_copy(update={field: part})
        with pytest.raises(Refused, match="is not the image of this release.*0000, not|not .*0000"):
            images.find_image(source, digest, other)
