"""The services of an environment on this machine, and the live one among them.

build/live/<environment>/
  active.json               names the live release; replaced in one step
  slots/<release>.<port>/   a running release: its lock, its link to the bundle, BentoML's home
  proxy.<port>/             the proxy that holds the public port
  logs/, predictions/       stay when a release stops
Any other running service is the leftover of a killed command; the next command stops it.
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

# A stopped release has this long to finish its requests.
GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Slot:
    """The folder of a release that runs or ran, named by its id and its own port."""

    folder: Path

    @property
    def port(self) -> int:
        """The port it listens on, behind the public one."""
        return int(self.folder.name.rpartition(".")[2])

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.folder.parents[1] / "logs" / f"{self.folder.name}.log"


@dataclass(frozen=True)
class LiveFolder:
    """The folder of an environment below build/live/."""

    name: str

    @property
    def path(self) -> Path:
        """The absolute path, because processes are identified by it."""
        return (LIVE / self.name).resolve()

    def slot(self, name: str) -> Slot:
        """Return the slot of this name, `<release>.<port>`."""
        return Slot(self.path / "slots" / name)

    def proxy(self, port: int) -> Path:
        """Return the folder of the proxy for a public port."""
        return self.path / f"proxy.{port}"

    def proxies(self) -> list[Path]:
        """Return the folders of all proxies, running or not."""
        return sorted(self.path.glob("proxy.*"))

    def active(self) -> dict[str, Any] | None:
        """Return the live slot with its port, release_id, since and settings; None for none."""
        try:
            return json.loads((self.path / "active.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def activate(self, active: dict[str, Any] | None) -> None:
        """Send requests to this slot from now on; to none if None."""
        if active is None:
            (self.path / "active.json").unlink(missing_ok=True)
        else:
            write_json(self.path / "active.json", active)

    def stop_others(self, *spared: Path) -> list[str]:
        """Stop all but the live slot and the folders given; return the names that ran."""
        active, stopped = self.active(), []
        spared_folders = {*spared, self.slot(active["slot"]).folder if active else None}
        for folder in sorted(self.path.glob("slots/*")) + self.proxies():
            if folder not in spared_folders:
                if processes.stop(folder, GRACE_SECONDS):
                    stopped.append(folder.name)
                shutil.rmtree(folder)
        return stopped

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder; waits for another command that holds the lock."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "deploy.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("", f"another command works on {self.name}; waiting until it ends")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
