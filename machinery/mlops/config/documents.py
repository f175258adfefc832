"""YAML files as strict records; errors name file, line, key, value and remedy."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, ValidationError

from mlops.console import without_password
from mlops.errors import UserError, did_you_mean


class Strict(BaseModel):
    """A part of a document: frozen, and without undeclared keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _without_secret(address: str) -> str:
    if re.match(r"(.*://)?[^/\s]*:[^/\s]*@", address):
        raise ValueError(
            "it holds a password, which Git would keep forever: set an environment variable instead"
        )
    return address


# A folder or URL in a committed file.
Address = Annotated[str, AfterValidator(_without_secret)]
# Text that must not be empty.
NonEmpty = Annotated[str, Field(min_length=1)]
T = TypeVar("T", bound=BaseModel)


# Release files have some thousand characters, lists of people at most some hundred thousand.
MOST_CHARACTERS = 1_000_000
MOST_VALUES = 50_000
MOST_LEVELS = 50


class Acceptance(Strict):
    """A known problem that the team accepts until a day, that day included."""

    reason: NonEmpty
    by: NonEmpty
    until: date

    def is_over(self, day: date) -> bool:
        """Return whether the acceptance ended before this day."""
        return day > self.until


# The C loader, where it is installed, is ten times faster.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads JSON types only: a date stays text, which its record parses."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def text_of(path: Path) -> str:
    """Return a file's text; raises UserError if it is not UTF-8, FileNotFoundError if missing."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start + 1:,} is invalid). Save it as UTF-8, "
            f"or put it back: git checkout HEAD -- {path}"
        ) from None


def parse(text: str, where: str, kind: type[T]) -> T:
    """Parse a YAML text into a record; raises UserError with all mistakes in it.

    The text may be anybody's, for example a version in the history: what would take long to parse
    is refused before.
    """
    lines: dict[tuple, int] = {}
    try:
        _require_bounded(text)
        values = _construct(yaml.compose(text, _Loader), (), lines)
        content = json.dumps(values)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{where} cannot be read as YAML: {error}") from None
    if not values and "root" not in kind.model_fields:
        raise UserError(f"{where} holds no keys. Put it back: git checkout HEAD -- {where}")
    try:
        return kind.model_validate_json(content, by_alias=True, by_name=False)
    except ValidationError as error:
        mistakes = [_explain(where, kind, mistake, lines) for mistake in error.errors()]
        raise UserError("\n".join(mistakes)) from None


def parse_list(text: str, where: str, kind: type[T]) -> tuple[T, ...]:
    """Parse a YAML text into records; a text of comments only, as at first, has none."""
    if all(line.strip()[:1] in ("", "#") for line in text.splitlines()):
        return ()
    return parse(text, where, RootModel[tuple[kind, ...]]).root


def dump(value: Any, header: str) -> str:
    """Return plain values as YAML below a header of comments; keys keep their order."""
    body = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return f"{header}{body}"


def _require_bounded(text: str) -> None:
    """Raise ValueError for a text that is large, deeply nested or has aliases, before it is built.

    A few hundred bytes of nested aliases stand for gigabytes of values, and the C parser ends the
    process on deep nesting.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"it has {len(text):,} characters, and at most {MOST_CHARACTERS:,} are allowed."
        )
    depth = values = 0
    for event in yaml.parse(text, _Loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(
                f"line {line}: the alias *{event.anchor} is not allowed. Write its value out."
            )
        opens = isinstance(event, yaml.CollectionStartEvent)
        depth += opens - isinstance(event, yaml.CollectionEndEvent)
        values += isinstance(event, yaml.ScalarEvent)
        if values > MOST_VALUES:
            raise ValueError(f"line {line}: it has more than {MOST_VALUES:,} keys and values.")
        if depth > MOST_LEVELS:
            raise ValueError(f"line {line}: it is nested deeper than {MOST_LEVELS} levels.")


def _construct(node: yaml.Node | None, at: tuple, lines: dict[tuple, int]) -> Any:
    """Build plain values, record the line of every key and refuse duplicate keys."""
    if node is None:
        return None
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.value in values:
                raise ValueError(f"line {line}: the key {key.value!r} is a duplicate or not text.")
            lines[(*at, key.value)] = line
            values[key.value] = _construct(value, (*at, key.value), lines)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*at, i), lines) for i, item in enumerate(node.value)]
    return _scalar(node, at)


def _scalar(node: yaml.ScalarNode, at: tuple) -> Any:
    """Build a plain value; raises ValueError for a value that JSON cannot hold."""
    try:
        value = yaml.SafeLoader("").construct_object(node)
        json.dumps(value, allow_nan=False)
        return value
    # PyYAML raises KeyError or AttributeError for a tag that does not fit its value.
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(
            f"line {node.start_mark.line + 1}: {'.'.join(map(str, at)) or 'the file'} is "
            f"{node.value!r}. Values are text, finite numbers, true, false or null."
        ) from None


def _explain(where: str, kind: type[BaseModel], mistake: Any, lines: dict[tuple, int]) -> str:
    at = tuple(mistake["loc"])
    line = next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), 1)
    key = f"{where}:{line}: {'.'.join(map(str, at)) or 'the file'}"
    if mistake["type"] == "missing":
        return f"{key}: this key is required."
    value = without_password(repr(mistake["input"]))
    if mistake["type"] != "extra_forbidden":
        return f"{key}: found {value}. {mistake['msg']}."
    allowed = _keys(kind, at[:-1])
    hint = did_you_mean(str(at[-1]), allowed)
    return f"{key}: unknown key (found {value}). Allowed here: {', '.join(allowed)}.{hint}"


def _keys(kind: Any, at: tuple) -> list[str]:
    """Return the allowed keys of the record at a path below `kind`."""
    for step in at:
        kind = _below(kind, step)
    return sorted(_fields(kind))


def _below(kind: Any, step: str | int) -> Any:
    """Return the type one step below an annotation such as `dict[str, Record]`."""
    for one in (kind, *get_args(kind)):
        if get_origin(one) is dict:
            return get_args(one)[1]
        # In a union of records, pydantic's path names the one it tried.
        if getattr(one, "__name__", None) == step:
            return one
    return _fields(kind).get("root" if isinstance(step, int) else step, kind)


def _fields(kind: Any) -> dict[str, Any]:
    """Return the annotation of each key of the record in an annotation."""
    record = _record_in(kind) or BaseModel
    return {field.alias or name: field.annotation for name, field in record.model_fields.items()}


def _record_in(annotation: Any) -> Any:
    """Return the record type in an annotation such as `tuple[Record, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_record_in, get_args(annotation))), None)
