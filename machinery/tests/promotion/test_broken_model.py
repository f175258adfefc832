"""What moves and deploys a release needs nothing of model/, which may be broken just then."""

import sys
from types import SimpleNamespace

import pytest

from mlops.container import engine, images
from mlops.load.loadtest import Traffic
from mlops.releases import bundle
from mlops.releases.environments import environment
from mlops.steps import deploy, loadtest
from mlops.targets import Live


@pytest.fixture
def broken(clone, monkeypatch):
    """The clone with a release in dev, a place to deploy to, and a model/ nobody can import."""
    release_id = clone.ship("dev")
    monkeypatch.setitem(sys.modules, "model", None)
    live = Live(release_id, "http://127.0.0.1:3001", "now")
    target = SimpleNamespace(live=lambda _: live, deploy=lambda *_: live)
    for step in (deploy, loadtest):
        monkeypatch.setattr(step, "target_of", lambda _: target)
    monkeypatch.setattr(bundle, "fetch", lambda store, digest: store.fetch(digest))
    return clone


def test_a_broken_model_keeps_no_release_from_being_deployed(broken):
    """Going back is most urgent when what was merged last does not even start."""
    answer = broken.mlops("deploy", "--env", "dev")
    assert answer.code == 0, answer.text


def test_a_broken_model_keeps_no_release_from_being_tested(broken, monkeypatch):
    """What answers is the model in the bundle."""
    traffic = Traffic(1000, 0, {5: 1000}, 10.0)
    served = environment("dev").release.release_id
    monkeypatch.setattr(loadtest, "run_locust", lambda *_: ([served], traffic))
    answer = broken.mlops("loadtest", "--env", "dev")
    assert answer.code == 0, answer.text


def test_a_broken_model_keeps_no_image_from_being_built(broken, monkeypatch):
    """It is built from the bundle."""
    monkeypatch.setattr(images, "build", lambda *_: None)
    monkeypatch.setattr(engine, "image", lambda _: {"Size": 1})
    answer = broken.mlops("image")
    assert answer.code == 0, answer.text
