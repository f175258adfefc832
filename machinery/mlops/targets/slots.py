"""What runs for an environment on this machine, and which of it is live.

build/live/<environment>/
  active.json               which release is live, replaced in one step: the only truth there is
  slots/<release>.<port>/   a release that runs: its lock, its link to the bundle, BentoML's home
  proxy.<port>/             what holds the public port
  logs/, predictions/       what outlives a release
Whatever else runs was left by a command that was killed; the next command ends it.
"""

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.console import say
from mlops.files import write_json
from mlops.paths import LIVE
from mlops.targets import processes

# Requests in flight may take this long to finish when their release is stopped.
GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Slot:
    """A release that runs, or ran: its folder is named by its id and its own port."""

    folder: Path

    @property
    def port(self) -> int:
        """Where it listens, behind the public port."""
        return int(self.folder.name.rpartition(".")[2])

    @property
    def log(self) -> Path:
        """What it and BentoML print."""
        return self.folder.parents[1] / "logs" / f"{self.folder.name}.log"


@dataclass(frozen=True)
class Place:
    """The folder of the environment of this name, with what runs there."""

    name: str

    @property
    def folder(self) -> Path:
        """Absolute, since processes are found by it."""
        return (LIVE / self.name).resolve()

    def slot(self, name: str) -> Slot:
        """Return the slot of this name, `<release>.<port>`."""
        return Slot(self.folder / "slots" / name)

    def proxy(self, port: int) -> Path:
        """Return the folder of what holds this public port."""
        return self.folder / f"proxy.{port}"

    def proxies(self) -> list[Path]:
        """Return the folders of what holds a public port, or held one."""
        return sorted(self.folder.glob("proxy.*"))

    def active(self) -> dict[str, Any] | None:
        """Return which slot is live, with its port, release_id, since and settings."""
        try:
            return json.loads((self.folder / "active.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def activate(self, active: dict[str, Any] | None) -> None:
        """Have requests passed to this slot from now on; to none if None."""
        if active is None:
            (self.folder / "active.json").unlink(missing_ok=True)
        else:
            write_json(self.folder / "active.json", active)

    def stop_others(self, *kept: Path) -> list[str]:
        """Stop all that runs here but the live slot and what is kept; return what did run."""
        active, stopped = self.active(), []
        spared = {*kept, self.slot(active["slot"]).folder if active else None}
        for folder in sorted(self.folder.glob("slots/*")) + self.proxies():
            if folder not in spared:
                if processes.stop(folder, GRACE_SECONDS):
                    stopped.append(folder.name)
                shutil.rmtree(folder)
        return stopped

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no other command changes what runs here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "deploy.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("", f"another command is at work on {self.name}; waiting until it ends")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
