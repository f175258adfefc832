"""Files of skops, rewritten so that equal models give equal bytes.

A file of skops is a zip: `schema.json` describes the objects, the other members hold arrays. skops
names objects by their addresses in memory, stores the time, and takes sets in the order of the
process. None of that is part of the model. https://skops.readthedocs.io/en/stable/persistence.html
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from mlops.errors import UserError
from mlops.files import canonical, digest

SUFFIX = ".skops"
SCHEMA = "schema.json"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # in a zip
UNIX = 3

Node = dict[str, Any]


def rewrite(folder: Path) -> None:
    """Rewrite each file of skops below a folder; raises UserError for one that is none."""
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        scratch = path.with_name(f"{path.name}.new")
        try:
            with ZipFile(path) as old, ZipFile(scratch, "w") as new:
                _copy(old, new)
        except (BadZipFile, KeyError, TypeError, ValueError) as error:
            scratch.unlink(missing_ok=True)
            raise UserError(
                f"model.save wrote {path.name}, which is no file of skops: {error}. Write it with "
                f'`skops.io.dump(model, folder / "{path.name}")`, or choose a name that does not '
                f"end in {SUFFIX}."
            ) from None
        scratch.replace(path)


def _copy(old: ZipFile, new: ZipFile) -> None:
    """Copy a file of skops: ids by order of appearance, sets sorted, members by name, no times."""
    schema = json.loads(old.read(SCHEMA))
    nodes = list(_nodes(schema))
    if not nodes:
        raise ValueError(f"its {SCHEMA} describes no object")
    # The inner sets first: the content of an outer one has them in it.
    for node in reversed(nodes):
        _sort_set(node, lambda name: digest(old.read(name)))
    nodes = list(_nodes(schema))
    _forget_addresses(nodes)
    names = _renumber(nodes)
    text = json.dumps(schema, separators=(",", ":")).encode()
    new.writestr(_entry(SCHEMA, old.getinfo(SCHEMA)), text)
    for name in old.namelist():
        names.setdefault(name, name)
    for before, after in sorted(names.items(), key=lambda pair: pair[1]):
        if before != SCHEMA:
            new.writestr(_entry(after, old.getinfo(before)), old.read(before))


def _entry(name: str, like: ZipInfo) -> ZipInfo:
    entry = ZipInfo(name, EARLIEST)
    entry.create_system, entry.compress_type = UNIX, like.compress_type
    return entry


def _nodes(value: Any) -> Iterator[Node]:
    """Yield the descriptions of objects in a schema, each before those it contains."""
    if isinstance(value, dict):
        # A dictionary of the model may have a key of that name, but no text as its value.
        if isinstance(value.get("__loader__"), str):
            yield value
        for one in value.values():
            yield from _nodes(one)
    elif isinstance(value, list):
        for one in value:
            yield from _nodes(one)


def _sort_set(node: Node, digest_of: Callable[[str], str]) -> None:
    """Sort a set by the content of its elements; `digest_of` returns the digest of a member."""

    def content(element: Any) -> Any:
        if isinstance(element, list):
            return [content(one) for one in element]
        if not isinstance(element, dict):
            return element
        plain = {key: content(one) for key, one in element.items() if key != "__id__"}
        if isinstance(plain.get("file"), str):
            plain["file"] = digest_of(plain["file"])
        return plain

    elements = node.get("content")
    if node["__loader__"] == "ConstructorFromReduceNode" and node["__class__"] == "frozenset":
        # Its only argument is the list of its elements.
        (arguments,) = elements["content"]
        elements = arguments["content"]
    elif node["__loader__"] != "SetNode":
        return
    elements.sort(key=lambda element: canonical(content(element)))


def _forget_addresses(nodes: list[Node]) -> None:
    """Replace addresses among the values by 0: scikit-learn keeps `id(self.stop_words)`."""
    addresses = {str(node.get("__id__")) for node in nodes}
    for node in nodes:
        content = node.get("content")
        for name, value in content.items() if isinstance(content, dict) else ():
            is_number = isinstance(value, dict) and value.get("__loader__") == "JsonNode"
            if is_number and name.endswith("_id") and value["content"] in addresses:
                value["content"] = "0"


def _renumber(nodes: list[Node]) -> dict[str, str]:
    """Number objects and members in order of appearance; return the new names of the members."""
    ids: dict[int, int] = {}
    names: dict[str, str] = {}
    for position, node in enumerate(nodes):
        # Python may keep equal texts and numbers once or twice, which means nothing.
        address = None if node["__loader__"] == "JsonNode" else node.get("__id__")
        node["__id__"] = position if address is None else ids.setdefault(address, position)
        if isinstance(node.get("file"), str):
            old = node["file"]
            new = f"{len(names)}{PurePosixPath(old).suffix}"
            node["file"] = names.setdefault(old, new)
    return names
