"""Ending a process that has read a Parquet file. Part of every bundle."""

import atexit
import contextlib
import os
import sys
from typing import NoReturn


def exit_now(code: int) -> NoReturn:
    """Exit without running Arrow's thread teardown.

    The teardown aborts or hangs in one of thirty runs on a busy machine, which changes the exit
    code (https://github.com/apache/arrow/issues/34314).
    """
    atexit._run_exitfuncs()  # pylint: disable=protected-access  # as Python's own exit does
    for stream in (sys.stdout, sys.stderr):
        # No traceback if the reader of the output is gone.
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)
