"""Processes that outlive the command that started them, each known by a folder.

A process and all it starts inherit an exclusive lock on `lock` in their folder: while it is held,
some of them live, whatever became of process ids. The folder's path is on their command lines,
which is how they are found again.
"""

import fcntl
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.errors import UserError

if TYPE_CHECKING:
    import psutil

# After this a killed process is not dying but stuck in the kernel.
KILL_SECONDS = 10.0
POLL_SECONDS = 0.05


def start(
    folder: Path,
    command: Sequence[str],
    log: Path,
    *,
    environ: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
) -> None:
    """Start a command that names `folder` among its arguments, in a session of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock, log.open("ab") as output:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.Popen(  # pylint: disable=consider-using-with  # it is meant to outlive us
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock.fileno(), *descriptors),
        )


def alive(folder: Path) -> bool:
    """Say whether any process started for a folder lives."""
    try:
        with (folder / "lock").open() as lock:
            # Shared, so that two who ask at once do not take each other for the process.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def stop(folder: Path, grace_seconds: float) -> bool:
    """Ask the processes of a folder to finish, kill what has not by then; return if any lived."""
    if not alive(folder):
        return False
    asked: set[int] = set()
    deadline = time.monotonic() + grace_seconds
    while alive(folder):
        late = time.monotonic() - deadline
        if late > KILL_SECONDS:
            raise UserError(
                f"{folder}/lock is held by a process that cannot be found or stopped. "
                f"`lsof {folder}/lock` names it; end it, then run this again."
            )
        _signal(members(folder), asked, kill=late > 0)
        time.sleep(POLL_SECONDS)
    return True


def _signal(found: "list[psutil.Process]", asked: set[int], kill: bool) -> None:
    """Ask the eldest to finish, once; they see to those they started. Or kill them all."""
    import psutil

    ids = {process.pid for process in found}
    for process in found:
        try:
            if kill:
                process.kill()
            elif process.ppid() not in ids and process.pid not in asked:
                process.terminate()
                asked.add(process.pid)
        except psutil.NoSuchProcess:
            continue


def members(folder: Path) -> "list[psutil.Process]":
    """Return the processes of a folder, their command lines in `info`."""
    import psutil

    place = str(folder.resolve())
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(
            word == place or word.startswith(f"{place}/") for word in process.info["cmdline"] or ()
        )
    ]


def holder(port: int) -> str:
    """Describe who listens on a port, as far as the system tells us."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            if listens and connection.pid:
                process = psutil.Process(connection.pid)
                return f"process {process.pid} ({' '.join(process.cmdline())[:120]})"
    except psutil.Error:
        pass  # macOS tells only root about other people's connections.
    return "another program"
