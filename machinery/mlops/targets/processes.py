"""Processes that outlive the command that started them, each identified by a folder.

A process and its children inherit an exclusive lock on the file `lock` in their folder: while it is
locked, one of them lives, even if process ids were reused. The folder's path is on their command
lines, so they can be listed.
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

# A killed process that lives longer is stuck in the kernel.
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
        subprocess.Popen(  # pylint: disable=consider-using-with  # it outlives this command
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
    """Return whether a process of a folder lives."""
    try:
        with (folder / "lock").open() as lock:
            # A shared lock, so that two callers at once do not mistake each other for the process.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def stop(folder: Path, grace_seconds: float) -> bool:
    """Terminate the processes of a folder, kill them after the grace; return whether any lived."""
    if not alive(folder):
        return False
    terminated: set[int] = set()
    deadline = time.monotonic() + grace_seconds
    while alive(folder):
        late = time.monotonic() - deadline
        if late > KILL_SECONDS:
            raise UserError(
                f"A process that cannot be listed or stopped holds {folder}/lock. "
                f"`lsof {folder}/lock` names it; end it, then run this again."
            )
        _signal(members(folder), terminated, kill=late > 0)
        time.sleep(POLL_SECONDS)
    return True


def _signal(listed: "list[psutil.Process]", terminated: set[int], kill: bool) -> None:
    """Terminate the parents, once; they terminate their children. Or kill all processes."""
    import psutil

    ids = {process.pid for process in listed}
    for process in listed:
        try:
            if kill:
                process.kill()
            elif process.ppid() not in ids and process.pid not in terminated:
                process.terminate()
                terminated.add(process.pid)
        except psutil.NoSuchProcess:
            continue


def members(folder: Path) -> "list[psutil.Process]":
    """Return the processes of a folder, with their command lines in `info`."""
    import psutil

    path = str(folder.resolve())
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(
            argument == path or argument.startswith(f"{path}/")
            for argument in process.info["cmdline"] or ()
        )
    ]


def holder(port: int) -> str:
    """Describe the program that listens on a port, if the system shows it."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            if listens and connection.pid:
                process = psutil.Process(connection.pid)
                return f"process {process.pid} ({' '.join(process.cmdline())[:120]})"
    except psutil.Error:
        pass  # macOS shows the connections of other users only to root.
    return "another program"
