"""A limit on the values in a JSON body. To parse millions takes seconds, so it does not parse."""


class TooManyValues(ValueError):
    """The body holds too many values to be parsed."""


def require_few_values(body: bytes, max_values: int) -> None:
    """Raise TooManyValues if JSON holds more values, whatever characters its texts contain."""
    if _count_separators(body) <= max_values:
        return
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A value has at most one name and is at most one text: four quotation marks.
    outside_texts = b"".join(unescaped.split(b'"')[::2])
    if unescaped.count(b'"') > 4 * max_values or _count_separators(outside_texts) > max_values:
        raise TooManyValues


def _count_separators(body: bytes) -> int:
    """Count the characters that precede every value in JSON but the first."""
    return len(body) - len(body.translate(None, b",[{"))
