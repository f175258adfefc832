"""How a process ends that had read a Parquet file; travels in every bundle."""

import atexit
import contextlib
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with an exit code, and let no library's own end change it.

    Arrow ends its threads when the process does, and aborts then or waits for ever: in one of
    thirty runs on a busy machine (https://github.com/apache/arrow/issues/34314).
    """
    atexit._run_exitfuncs()  # pylint: disable=protected-access  # all that Python itself would do
    for stream in (sys.stdout, sys.stderr):
        # A reader that went away needs no traceback.
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)
