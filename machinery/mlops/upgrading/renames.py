"""Rename a key in the text of a YAML file; comments, order and blank lines stay."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from mlops.errors import UserError


def rename(text: str, old: str, new: str, name: str = "the file") -> str:
    """Return the text with one key renamed, and moved if its parents change.

    `name` is the file's name. A dotted name that leads through a list applies to each item.
    Raises UserError if a person has to decide.
    """
    root = _compose(text, name)
    (parents, leaf), (target, new_leaf) = _split(old), _split(new)
    matches = [
        (mapping, key, value)
        for mapping in _mappings(root, parents)
        for key, value in mapping.value
        if key.value == leaf
    ]
    if not matches:
        return text
    for mapping in _mappings(root, target):
        if any(key.value == new_leaf for key, _ in mapping.value):
            raise UserError(
                f"{_at(name, matches[0][1])}: {old} is called {new} now, and the file has both. "
                "Remove one of them, commit, then upgrade."
            )
    if parents == target:
        return _replace(
            text, {(k.start_mark.index, k.end_mark.index) for _, k, _ in matches}, new_leaf
        )
    moved = _moved(text, root, matches, (target, new_leaf))
    if moved is None:
        raise UserError(
            f"{_at(name, matches[0][1])}: {old} is called {new} now, and this program "
            "cannot move it here. Move it by hand, commit, then upgrade."
        )
    return moved


def _split(dotted: str) -> tuple[list[str], str]:
    *parents, leaf = dotted.split(".")
    return parents, leaf


def _at(name: str, key: yaml.Node) -> str:
    return f"{name}, line {key.start_mark.line + 1}"


def _compose(text: str, name: str) -> Any:
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UserError(f"{name} is not readable as YAML, so its keys stay: {error}") from None


def _mappings(node: Any, parents: list[str]) -> Iterator[yaml.MappingNode]:
    """Yield every mapping that a dotted name leads to."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _mappings(item, parents)
    elif isinstance(node, yaml.MappingNode) and not parents:
        yield node
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == parents[0]:
                yield from _mappings(value, parents[1:])


def _replace(text: str, spans: set[tuple[int, int]], new: str) -> str:
    # A set, because an alias yields the same key twice.
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _moved(text: str, root: Any, matches: list[tuple], new: tuple[list[str], str]) -> str | None:
    """Move the key with its value and the comments above it to its new parents."""
    mapping, key, value = matches[0]
    if len(matches) > 1 or mapping.flow_style or len(mapping.value) == 1:
        return None
    # An alias: its value is defined elsewhere in the file.
    if value.start_mark.index < key.end_mark.index:
        return None
    target = _target(text, root, new[0])
    if target is None:
        return None
    start, end = _above(text, key.start_mark.index), _line_end(text, _last(value))
    block = text[start : key.start_mark.index] + new[1] + text[key.end_mark.index : end]
    block = target.opening + _indented(block.rstrip("\n") + "\n", key, target.column)
    if target.index <= end:
        at = min(target.index, start)
        before, after = text[:at], text[at:start] + text[end:]
    else:
        before, after = text[:start] + text[end : target.index], text[target.index :]
    return before + ("\n" if before and not before.endswith("\n") else "") + block + after


@dataclass(frozen=True)
class _Target:
    """The new position of a key: index and column, and the line of a missing parent."""

    index: int
    column: int
    opening: str = ""


def _target(text: str, root: Any, parents: list[str]) -> _Target | None:
    """Return the new position of a key, None if it is ambiguous."""
    targets = list(_mappings(root, parents))
    if len(targets) == 1 and not targets[0].flow_style and targets[0].value:
        return _Target(_line_end(text, _last(targets[0])), targets[0].start_mark.column)
    if targets or len(parents) != 1 or any(key.value == parents[0] for key, _ in root.value):
        return None
    return _Target(len(text), 2, f"{parents[0]}:\n")


def _above(text: str, index: int) -> int:
    """Return the index at which the comments directly above a line begin."""
    start = text.rfind("\n", 0, index) + 1
    while start:
        previous = text.rfind("\n", 0, start - 1) + 1
        if not text[previous:start].lstrip().startswith("#"):
            break
        start = previous
    return start


def _last(node: Any) -> int:
    """Return the end of the last value in a node: YAML ends a block at the next key."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return node.end_mark.index
    item = node.value[-1]
    return _last(item[1] if isinstance(node, yaml.MappingNode) else item)


def _line_end(text: str, index: int) -> int:
    if index and text[index - 1] == "\n":
        return index
    newline = text.find("\n", index)
    return len(text) if newline < 0 else newline + 1


def _indented(block: str, key: yaml.Node, column: int) -> str:
    """Return a block of lines indented to another column."""
    shift = column - key.start_mark.column
    lines = block.splitlines(keepends=True)
    if shift >= 0:
        return "".join(" " * shift + line if line.strip() else line for line in lines)
    return "".join(line[min(-shift, len(line) - len(line.lstrip(" "))) :] for line in lines)
