"""Finds pickle in the files of a model: loading pickle runs whatever code is in it.

Nothing is loaded here. https://docs.python.org/3/library/pickle.html
"""

import bz2
import io
import lzma
import pickletools
import warnings
import zlib
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

NAMES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
# The part of a file that is examined; of a compressed one so much before and after.
HEAD_BYTES = 1 << 20
# Lines of text may by chance be instructions of pickle, but not many that agree with each other,
# keep what they made for later, and call something or are a thousand.
CERTAIN, ENOUGH = 8, 1000
STORES = {"PUT", "BINPUT", "LONG_BINPUT"}
CALLS = {"REDUCE", "BUILD", "INST", "OBJ"}
# Protocols 2 to 5 begin with their number, since 4 followed by a frame.
NUMBERED = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
FRAMED = (b"\x80\x04\x95", b"\x80\x05\x95")
NUMPY, ZIP = b"\x93NUMPY", b"PK"
# Zips in zips: skops keeps a sparse matrix as .npz.
DEPTH = 3
DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "zlib or gzip": lambda: zlib.decompressobj(wbits=47),
    "bz2": bz2.BZ2Decompressor,
    "xz or lzma": lambda: lzma.LZMADecompressor(memlimit=1 << 28),
}


def pickles(folder: Path) -> dict[str, str]:
    """Return the files below a folder that are or hold pickle, each with what shows it."""
    signs = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            signs[str(path.relative_to(folder))] = _sign(path.name, file, DEPTH)
    return {name: sign for name, sign in signs.items() if sign}


def _sign(name: str, file: IO[bytes], depth: int) -> str | None:
    """Return what shows that a file is pickle; None if nothing does."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in NAMES:
        return f"its name ends in {suffix}"
    head = file.read(HEAD_BYTES)
    if head.startswith(ZIP):
        return _sign_in_zip(file, depth) if depth else None
    whole = not file.read(1)
    return _sign_in(head, whole) or _sign_in_compressed(head, whole)


def _sign_in(head: bytes, whole: bool) -> str | None:
    if head.startswith(NUMPY):
        return "a NumPy array of Python objects" if _holds_objects(head) else None
    return "its content" if _is_pickle(head, whole) else None


def _sign_in_compressed(head: bytes, whole: bool) -> str | None:
    for kind, decompressor in DECOMPRESSORS.items():
        try:
            stream = decompressor()
            content = stream.decompress(head, HEAD_BYTES)
        except (zlib.error, OSError, lzma.LZMAError, EOFError):
            continue
        sign = _sign_in(content, whole and stream.eof)
        if sign:
            return f"{sign}, compressed with {kind}"
    return None


def _sign_in_zip(file: IO[bytes], depth: int) -> str | None:
    """Return the first member of a zip that is pickle, with what shows it."""
    try:
        with ZipFile(file) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as member:
                    sign = _sign(entry.filename, member, depth - 1)
                if sign:
                    return f"{entry.filename} in it: {sign}"
    # One that is damaged or encrypted is loaded by nobody.
    except (BadZipFile, RuntimeError, zlib.error):
        return None
    return None


def _holds_objects(head: bytes) -> bool:
    """Return whether a NumPy file holds an array of Python objects, which NumPy pickles."""
    start = 10 if head[6] == 1 else 12  # of the header, whose length stands before it
    length = int.from_bytes(head[8:start], "little")
    try:
        header = literal_eval(head[start : start + length].decode("utf-8", "replace"))
        return _has_object(header["descr"])
    except (ValueError, SyntaxError, LookupError, TypeError):
        return False


def _has_object(descr: Any) -> bool:
    """Return whether a type in NumPy's notation is Python's object, or has a field of that type."""
    if isinstance(descr, str):
        return "O" in descr
    return any(_has_object(field[1]) for field in descr)


class _Instructions(io.TextIOBase):
    """The names of the instructions that pickletools lists, ENOUGH of them at most."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def write(self, text: str) -> int:
        """Take a part of the list: the code in four characters, then the name."""
        if len(self.names) == ENOUGH:
            raise OverflowError
        if len(text) > 5 and not text.endswith(":"):
            self.names.append(text[5:].split(maxsplit=1)[0])
        return len(text)


def _is_pickle(head: bytes, whole: bool) -> bool:
    """Return whether bytes begin with pickle; protocols 0 and 1 have no sign of their own."""
    if head.startswith(FRAMED):
        return True
    instructions, stream = _Instructions(), io.BytesIO(head)
    with warnings.catch_warnings():
        # About backslashes in what is no text.
        warnings.simplefilter("ignore")
        try:
            pickletools.dis(stream, out=instructions)
            ended = True
        except Exception:  # pylint: disable=broad-exception-caught  # whatever bytes may cause
            ended = False
    names, at_end = instructions.names, not stream.read(1)
    if head.startswith(NUMBERED):
        # The head may end within a long text.
        return ended or at_end and not whole or len(names) > CERTAIN
    if ended and at_end and whole:
        return True
    acts = len(names) == ENOUGH or len(names) > CERTAIN and not CALLS.isdisjoint(names)
    return acts and not STORES.isdisjoint(names)
