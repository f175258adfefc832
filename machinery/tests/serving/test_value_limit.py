"""The limit on values rejects bodies that take seconds to parse, and no body that only looks so."""

import json
import time

import pytest

from mlops.serving.value_limit import TooManyValues, require_few_values


def rows(count, **more):
    """A body with `count` rows of two values and more."""
    return json.dumps({"rows": [{"size": 1, "weight": 1.5, **more}] * count}).encode()


@pytest.mark.parametrize(
    "body",
    [
        rows(1, **{str(number): 1 for number in range(1000)}),
        rows(1, town=[[]] * 1000),
        rows(1, town={str(number): {} for number in range(1000)}),
        rows(1000),
        b'{"rows": [{' + b'"":"",' * 1000 + b'"":""}]}',
        b'{"rows": [' + b"{}," * 1000 + b"{}]}",
        b"[" * 1000,
        b'"' * 1000 + b"," * 1000,
    ],
)
def test_too_many_values_are_rejected(body):
    """The values may be fields, lists, objects or rows, well formed or not."""
    with pytest.raises(TooManyValues):
        require_few_values(body, 200)


@pytest.mark.parametrize(
    "town",
    ["," * 1000, "[{" * 1000, '"' * 1000, '\\",[{' * 1000, "\\" * 1000, '","' * 1000, "é" * 1000],
)
def test_a_text_may_hold_any_characters(town):
    """Also escaped quotation marks and backslashes, anywhere in it."""
    for text in (town, town + "\\", town + '"', '"' + town):
        require_few_values(rows(40, town=text), 200)


def test_the_check_of_millions_of_values_is_faster_than_parsing():
    """Measured in processor time, which other processes do not change."""
    body = b'{"rows": [{"x": [' + b"[]," * 2_000_000 + b"[]]}]}"
    start = time.process_time()
    with pytest.raises(TooManyValues):
        require_few_values(body, 200)
    checked = time.process_time()
    json.loads(body)
    assert checked - start < (time.process_time() - checked) / 3
