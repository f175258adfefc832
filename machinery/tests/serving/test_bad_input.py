"""The answer to any bad input is a 4xx that names the place, the value and what is allowed."""

import json

import pytest


def detail(answer):
    """The first problem of a 400."""
    assert answer.status_code == 400, answer.text
    return answer.json()["detail"][0]


@pytest.mark.parametrize(
    "change, value, allowed",
    [
        ({"size": "5"}, "5", "a whole number from 1 to 100"),
        ({"size": True}, True, "a whole number from 1 to 100"),
        ({"size": 5.5}, 5.5, "a whole number from 1 to 100"),
        ({"size": None}, None, "a whole number from 1 to 100"),
        ({"size": 0}, 0, "a whole number from 1 to 100"),
        ({"size": 10**30}, "an integer beyond 64 bits", "a whole number from 1 to 100"),
        ({"weight": 50.5}, 50.5, "a number from 0 to 50, or null"),
        ({"weight": float("nan")}, "nan", "a number from 0 to 50, or null"),
        ({"weight": float("-inf")}, "-inf", "a number from 0 to 50, or null"),
        ({"weight": "x" * 1000}, "x" * 100 + "...", "a number from 0 to 50, or null"),
        ({"color": "pink"}, "pink", "red, green or blue"),
        ({"color": ["red"]}, "a list of 1", "red, green or blue"),
        ({"kind": "c"}, "c", "a, b or null"),
        ({"kind": {}}, "an object of 0", "a, b or null"),
        ({"town": "abc"}, "abc", "text matching ^[A-Z]{3}$"),
        ({"town": "ABC\n"}, "ABC\n", "text matching ^[A-Z]{3}$"),
    ],
)
def test_a_bad_value_is_named(client, row, change, value, allowed):
    """For a wrong type, range, category or NaN: the field, the value and the values allowed."""
    body = json.dumps({"rows": [row, {**row, **change}]})
    problem = detail(client.post("/predict", content=body))
    field = f"rows.1.{next(iter(change))}"
    assert problem == {"field": field, "problem": "value", "found": value, "allowed": allowed}


def test_a_missing_field_is_named(client, row):
    """Null must be explicit: a missing field is more often a mistake than a null."""
    del row["weight"]
    problem = detail(client.post("/predict", json={"rows": [row]}))
    assert (problem["field"], problem["problem"]) == ("rows.0.weight", "missing")


def test_an_unknown_field_is_named_with_its_likely_name(client, row):
    """A typing error, or a column that training does not allow."""
    problem = detail(client.post("/predict", json={"rows": [{**row, "colour": "red"}]}))
    assert (problem["field"], problem["problem"]) == ("rows.0.colour", "unknown")
    assert problem["allowed"] == "no such field; there is color"


@pytest.mark.parametrize(
    "body, allowed",
    [
        (b"", 'an object {"rows": [...]}'),
        (b"nonsense", 'an object {"rows": [...]}'),
        (b"\xff\xfe", 'an object {"rows": [...]}'),
        (b"[]", 'an object {"rows": [...]}'),
        (b"{}", "a list of 1 to 50 rows"),
        (b'{"rows": 5}', "a list of 1 to 50 rows"),
        (b'{"rows": []}', "a list of 1 to 50 rows"),
        (b'{"rows": [5]}', "an object with the fields size, weight, color, kind, town"),
        (b'{"rows": ' + b"[" * 500 + b"]" * 500 + b"}", 'an object {"rows": [...]}'),
        (b'{"rows": [{"size": ' + b"9" * 9999 + b"}]}", 'an object {"rows": [...]}'),
        (b'{"rows": [{"town": "\\ud800"}]}', 'an object {"rows": [...]}'),
    ],
)
def test_a_bad_body_gets_what_is_allowed(client, body, allowed):
    """Empty, not JSON, not UTF-8, another shape, nested too deep, a number too long."""
    assert detail(client.post("/predict", content=body))["allowed"] == allowed


def test_too_many_rows_are_refused(client, row):
    """The bound is that of params.yaml."""
    problem = detail(client.post("/predict", json={"rows": [row] * 51}))
    assert (problem["found"], problem["allowed"]) == ("a list of 51", "a list of 1 to 50 rows")


def test_the_answer_to_a_thousand_problems_is_short(client, row):
    """It details the first problems, and counts all."""
    answer = client.post("/predict", json={"rows": [{**row, "size": 0, "town": ""}] * 50}).json()
    assert answer["error"].startswith("100 problems") and len(answer["detail"]) == 20


@pytest.mark.parametrize("level", ["row", "body"])
@pytest.mark.parametrize("count, status", [(500, 400), (10_000, 413)])
def test_the_answer_to_many_unknown_fields_is_short(client, row, level, count, status):
    """It details some of them; with far too many, the body is not even parsed."""
    unknown = {str(number): 1 for number in range(count)}
    body = {"rows": [{**row, **unknown}]} if level == "row" else {"rows": [row], **unknown}
    answer = client.post("/predict", json=body)
    assert answer.status_code == status and len(answer.content) < 5000
    assert status == 413 or detail(answer)["problem"] == "unknown"


@pytest.mark.parametrize("media", ["text/csv", "application/x-www-form-urlencoded", "x"])
def test_other_content_types_are_refused(client, media):
    """The service does not guess the format of a form or a file."""
    answer = client.post("/predict", content=b"{}", headers={"content-type": media})
    assert answer.status_code == 415 and media in answer.json()["error"]


def test_a_compressed_body_is_refused(client):
    """Its size is unknown until it is unpacked."""
    answer = client.post("/predict", content=b"{}", headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize("sized", [True, False])
def test_a_huge_body_is_not_read(client, sized):
    """With a content-length or in chunks, reading stops at the limit."""
    block = b" " * 2**20
    answer = client.post("/predict", content=block if sized else iter([block, block]))
    assert answer.status_code == 413 and "over 257,024 bytes" in answer.json()["error"]


@pytest.mark.parametrize("method, path", [("GET", "/predict"), ("POST", "/version")])
def test_a_wrong_method_names_the_right_one(client, method, path):
    """The answer has the header `Allow`, as HTTP demands."""
    answer = client.request(method, path)
    assert answer.status_code == 405 and answer.headers["allow"] in answer.json()["error"]


def test_a_wrong_path_is_not_found(client):
    """A path that resembles another is not found either."""
    assert client.post("/predict/", json={}).status_code in (404, 307)
    assert client.get("/nothing").status_code == 404
