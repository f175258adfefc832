"""The public port: a switch that fails is undone."""

import pytest

from mlops.errors import Refused
from mlops.serving import client
from mlops.targets import processes, public_port, switch
from mlops.targets.slots import LiveFolder


def test_a_switch_that_is_not_verified_is_undone(empty, monkeypatch):
    """The release before is live again, and a new proxy is stopped."""
    monkeypatch.setattr(switch, "VERIFY_SECONDS", 0.2)
    folder, port = LiveFolder(empty.environment.name), empty.environment.settings.port
    folder.activate({"slot": "r-1.1", "port": 1, "release_id": "r-1"})
    with pytest.raises(Refused, match=f"{port}/version answers nothing"):
        with public_port.hold(folder, empty.environment) as activate:
            activate({"slot": "r-2.1", "port": 1, "release_id": "r-2"})
            switch.verify(port, "r-2")
    assert folder.active()["release_id"] == "r-1"
    assert not processes.alive(folder.proxy(port))


@pytest.mark.parametrize(("answer", "good"), [("r-2", True), ("r-1", False)])
def test_the_answer_at_the_public_port_decides(monkeypatch, answer, good):
    monkeypatch.setattr(switch, "VERIFY_SECONDS", 0.2)
    monkeypatch.setattr(client, "served_release", lambda _: answer)
    if good:
        switch.verify(1, "r-2")
    else:
        with pytest.raises(Refused, match="/version answers r-1"):
            switch.verify(1, "r-2")
