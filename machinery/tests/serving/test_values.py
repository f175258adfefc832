"""Bodies whose values would take seconds to read are told from those that only look like it."""

import json
import time

import pytest

from mlops.serving.values import TooManyValues, require_few


def rows(count, **more):
    """A body with a row of three values so many times."""
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
def test_too_many_values_are_found(body):
    """Fields, lists, objects, rows; well formed or not."""
    with pytest.raises(TooManyValues):
        require_few(body, 200)


@pytest.mark.parametrize(
    "town",
    ["," * 1000, "[{" * 1000, '"' * 1000, '\\",[{' * 1000, "\\" * 1000, '","' * 1000, "é" * 1000],
)
def test_a_text_may_hold_what_it_likes(town):
    """Also quotation marks and backslashes, which are escaped, at its end too."""
    for text in (town, town + "\\", town + '"', '"' + town):
        require_few(rows(40, town=text), 200)


def test_millions_of_values_are_found_in_less_time_than_a_reader_takes():
    """By processor time, which other processes do not change."""
    body = b'{"rows": [{"x": [' + b"[]," * 2_000_000 + b"[]]}]}"
    start = time.process_time()
    with pytest.raises(TooManyValues):
        require_few(body, 200)
    found = time.process_time()
    json.loads(body)
    assert found - start < (time.process_time() - found) / 3
