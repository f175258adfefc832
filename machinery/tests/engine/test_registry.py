"""A real registry as the store, and the way from one registry to another."""

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
from mlops.container.registry import Repository
from mlops.errors import Refused, UserError
from mlops.releases.store import Store, cached

# `secret`, as htpasswd writes it.
PASSWORD = "robot:$2b$04$lxy4R29v0HWNTLDlH0snyeSEwCBFx3mRPRd7dk64aIyyxdDONDmOi"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLOPS_STORE", raising=False)


@pytest.fixture
def store(registry, request):
    """An empty store in the registry; capitals, as a GitHub owner may have them."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    return Store(f"oci://{registry.host}/Acme/{name}")


@pytest.fixture
def thing(tmp_path):
    """A file and its digest."""
    path = tmp_path / "thing"
    path.write_bytes(os.urandom(100_000))
    return path, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_what_was_put_is_fetched(store, thing):
    """Once; putting it again uploads nothing."""
    path, digest = thing
    assert not store.has(digest)
    assert [store.put(path, digest), store.put(path, digest)] == [True, False]
    assert store.has(digest) and store.fetch(digest).read_bytes() == path.read_bytes()


def test_attachments_stay_beside_it(store, thing):
    """Several of a kind, as in a folder."""
    _, digest = thing
    new = [store.attach(digest, "note", words) for words in (b"one", b"two", b"one")]
    assert new == [True, True, False]
    assert sorted(store.attached(digest, "note")) == [b"one", b"two"] and not store.has(digest)


def test_other_bytes_are_refused(store, registry, thing):
    """Changed on the registry's own disk: the digest is computed at every fetch."""
    path, digest = thing
    store.put(path, digest)
    registry.blob(digest).write_bytes(b"tampered")
    with pytest.raises(UserError, match="holds other bytes"):
        store.fetch(digest)
    assert not cached(digest).exists()


def test_a_tag_that_was_moved_is_refused(store, thing):
    """Who may push may move a tag: what it names is not what was asked for."""
    path, digest = thing
    store.put(path, digest)
    path.write_bytes(b"another model")
    Repository(store.url.removeprefix("oci://")).push(path, f"{digest[7:]}.tar")
    with pytest.raises(UserError, match="holds other bytes"):
        store.fetch(digest)


KILLED = """
import os, signal, sys
from pathlib import Path
from mlops.container.registry import Repository
from mlops.releases.store import Store
Repository._publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Store(sys.argv[1]).put(Path(sys.argv[2]), sys.argv[3])
"""


def test_a_killed_upload_is_not_seen(store, thing):
    """Killed when all bytes are there and nothing names them yet; the next one mends it."""
    path, digest = thing
    command = [sys.executable, "-c", KILLED, store.url, str(path), digest]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert not store.has(digest)
    assert store.put(path, digest) and store.fetch(digest)


def test_the_variable_wins(store, thing, monkeypatch):
    """A workflow names the registry; the files stay as they are on a laptop."""
    store.put(*thing)
    monkeypatch.setenv("MLOPS_STORE", store.url)
    assert Store("build/store").has(thing[1])


@pytest.fixture
def guarded(new_registry, tmp_path_factory):
    """A registry that asks for a password, and a home for what `docker login` would write."""
    folder = tmp_path_factory.mktemp("password")
    (folder / "htpasswd").write_text(PASSWORD + "\n")
    return new_registry(f'auth: {{htpasswd: {{realm: here, path: "{folder}/htpasswd"}}}}')


def test_a_password_is_that_of_docker_login(guarded, thing, tmp_path, monkeypatch, caplog):
    """Without it the message says how to log in, and that alone; with it all is as ever."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    store = Store(f"oci://{guarded.host}/acme/guarded")
    with pytest.raises(UserError, match=f"docker login {guarded.host}"):
        store.put(*thing)
    assert not caplog.records
    _log_in(tmp_path, guarded.host, "robot:secret")
    assert store.put(*thing) and store.fetch(thing[1])


def _log_in(folder, host, user):
    """Write what `docker login` would."""
    auth = base64.b64encode(user.encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


@pytest.fixture
def with_tokens(new_registry, tmp_path, monkeypatch):
    """A registry that is shown tokens, as GitHub's is; a home without a login; who gives them."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    authority = tokens.Authority()
    (tmp_path / "trusted.pem").write_bytes(authority.certificate)
    with tokens.serving(authority) as realm:
        about = f"realm: {realm}, service: registry, issuer: tokens"
        auth = f"auth: {{token: {{{about}, rootcertbundle: {tmp_path}/trusted.pem}}}}"
        yield new_registry(auth), authority


def test_a_token_is_got_for_what_is_done(with_tokens, thing, tmp_path):
    """Who may write does; the next, without a login, reads what is public."""
    (registry, authority), name = with_tokens, "acme/with-tokens"
    _log_in(tmp_path, registry.host, "writer:secret")
    assert Store(f"oci://{registry.host}/{name}").put(*thing)
    assert ("writer:secret", name, {"pull", "push"}) in authority.asked
    (tmp_path / "config.json").unlink()
    assert Store(f"oci://{registry.host}/{name}").fetch(thing[1])
    assert authority.asked[-1] == ("", name, {"pull"})


@pytest.mark.parametrize("user", ["reader:secret", "writer:wrong", ""])
def test_who_may_not_write_is_told_to_log_in(with_tokens, thing, tmp_path, user):
    """As somebody who may; nothing is there afterwards."""
    registry, _ = with_tokens
    if user:
        _log_in(tmp_path, registry.host, user)
    with pytest.raises(UserError, match=f"docker login {registry.host}"):
        Store(f"oci://{registry.host}/acme/fares").put(*thing)
    assert not (
        registry.folder / "data/docker/registry/v2/repositories/acme/fares/_manifests"
    ).exists()


def test_a_token_that_expired_is_got_anew(with_tokens, thing, tmp_path):
    """What a step does may last longer than it."""
    registry, authority = with_tokens
    _log_in(tmp_path, registry.host, "writer:secret")
    authority.seconds = 2
    repository = Repository(f"{registry.host}/acme/fares")
    assert repository.push(thing[0], "first")
    before = len(authority.asked)
    time.sleep(3)
    assert repository.tags() == ["first"] and repository.push(thing[0], "second")
    assert len(authority.asked) > before


def test_a_registry_that_is_down_is_told_in_seconds(thing):
    """Not after minutes of trying."""
    begun = time.monotonic()
    with pytest.raises(UserError, match="registry 127.0.0.1:9 cannot be reached"):
        Store("oci://127.0.0.1:9/acme").put(*thing)
    assert time.monotonic() - begun < HANG_SECONDS


@pytest.mark.parametrize("name", ["ghcr.io", "acme/flights", "ghcr.io/acme/flights:v1", "a b.c/d"])
def test_what_is_no_repository_is_refused(name):
    """A host and a path, and nothing else."""
    with pytest.raises(UserError, match="is no repository of a registry"):
        Repository(name)


def test_a_mistaken_name_tells_no_password():
    """Its message may end up in a pull request."""
    with pytest.raises(UserError, match=r"^'\*\*\*@ghcr.io/acme' is no repository"):
        Repository("me:hunter2@ghcr.io/acme")


def test_a_promotion_copies_digests(built, fork, registry, new_registry):
    """Image, bundle and what is attached come to another registry as they are, however often."""
    promoted, other = built.promoted, f"{new_registry().host}/production/fares"
    store = f"oci://{registry.host}/acme/fares"
    Store(store).attach(promoted.bundle.digest, "note", b"signed")
    for _ in range(2):
        images.copy(promoted, other, store)
    there, digest = Repository(other), images.split(promoted.image)[1]
    assert there.manifest(digest).digest == digest
    assert images.in_registry(there, digest, promoted).ref == f"{other}@{digest}"
    moved = Store(f"oci://{other}")
    assert moved.attached(promoted.bundle.digest, "note") == [b"signed"]
    fetched = moved.fetch(promoted.bundle.digest).read_bytes()
    assert fetched == (fork.folder / cached(promoted.bundle.digest)).read_bytes()


def test_a_part_that_is_gone_stops_the_copy(built, registry, new_registry):
    """A layer that the registry lost or changed is named, and nothing is published."""
    source, digest = images.split(built.promoted.image)
    made = source.manifest(digest).fields
    # Docker 29 pushes an index: the image, and how it was made.
    made = made if "layers" in made else source.manifest(made["manifests"][0]["digest"]).fields
    layer = made["layers"][-1]["digest"]
    file, other = registry.blob(layer), f"{new_registry().host}/production/fares"
    kept = file.read_bytes()
    file.write_bytes(kept[:-1])
    with pytest.raises(UserError, match="holds other bytes|cannot be reached"):
        images.copy(built.promoted, other, "build/store")
    file.write_bytes(kept)
    assert Repository(other).tags() == []


def test_an_image_of_another_release_is_refused(built):
    """By every label it is held to, each named."""
    source, digest = images.split(built.promoted.image)
    for field, change in (
        ("source", {"commit": "0" * 40}),
        ("model", {"digest": f"sha256:{'0' * 64}"}),
        ("bundle", {"digest": f"sha256:{'0' * 64}"}),
    ):
        part = getattr(built.promoted, field).model_copy(update=change)
        other = built.promoted.model_copy(update={field: part})
        with pytest.raises(Refused, match="is not the image of this release.*0000, not|not .*0000"):
            images.in_registry(source, digest, other)
