"""The public port: what fails after the switch is taken back."""

import pytest

from mlops.errors import Refused
from mlops.serving import client
from mlops.targets import front, processes
from mlops.targets.slots import Place


def test_a_switch_that_is_not_verified_is_taken_back(empty, monkeypatch):
    """What was live is live again, and no proxy stays that was not there."""
    monkeypatch.setattr(front, "VERIFY_SECONDS", 0.2)
    place, port = Place(empty.environment.name), empty.environment.settings.port
    place.activate({"slot": "r-1.1", "port": 1, "release_id": "r-1"})
    with pytest.raises(Refused, match=f"{port}/version says nothing"):
        with front.held(place, empty.environment) as switch:
            switch({"slot": "r-2.1", "port": 1, "release_id": "r-2"})
            front.verify(port, "r-2")
    assert place.active()["release_id"] == "r-1"
    assert not processes.alive(place.proxy(port))


@pytest.mark.parametrize(("said", "good"), [("r-2", True), ("r-1", False)])
def test_what_the_public_port_says_decides(monkeypatch, said, good):
    monkeypatch.setattr(front, "VERIFY_SECONDS", 0.2)
    monkeypatch.setattr(client, "served_release", lambda _: said)
    if good:
        front.verify(1, "r-2")
    else:
        with pytest.raises(Refused, match="/version says r-1"):
            front.verify(1, "r-2")
