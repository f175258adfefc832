"""Days and times: text in a request, `datetime` for the model, whatever training saw."""

import json
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from pydantic_core import ValidationError

from mlops.errors import UserError
from mlops.serving import times
from mlops.serving.frames import Frames, column_types
from mlops.serving.problems import explain
from mlops.serving.schema import allowed, request_type
from mlops.statistics.latency import as_records, as_sent
from mlops.training import contract
from mlops.training.row_schema import row_schema

DAYS = pd.date_range("2026-01-01", periods=9)


def described(monkeypatch, column, values):
    """The schema of rows with one column `x`."""
    team = SimpleNamespace(SCHEMA=pa.DataFrameSchema({"x": column}))
    monkeypatch.setattr(contract, "team_data", lambda: team)
    return row_schema(["x"], pd.DataFrame({"x": values}))


def aware(zone="UTC", unit="ns"):
    """The type of times in a zone."""
    return pd.DatetimeTZDtype(unit, zone)


@pytest.mark.parametrize(
    ("column", "values", "field", "example"),
    [
        (pa.Column(pa.DateTime), DAYS, {"format": "date"}, "2026-01-05"),
        (pa.Column("datetime64[us]"), DAYS, {"format": "date"}, "2026-01-05"),
        (
            pa.Column(aware()),
            DAYS.tz_localize("UTC"),
            {"format": "date-time", "x-time-zone": "UTC"},
            "2026-01-05T00:00:00+00:00",
        ),
        (
            pa.Column(aware("Europe/Berlin", "us"), nullable=True),
            [None, *DAYS.tz_localize("Europe/Berlin")],
            {"format": "date-time", "x-time-zone": "Europe/Berlin"},
            "2026-01-05T00:00:00+01:00",
        ),
    ],
    ids=["day", "day in microseconds", "time", "time in a zone"],
)
def test_a_column_is_described_by_its_format(monkeypatch, column, values, field, example):
    """As OpenAPI names it; the example is the middle one."""
    schema = described(monkeypatch, column, pd.Series(values).astype(column.dtype.type))
    assert schema["properties"]["x"].items() >= field.items()
    assert schema["examples"] == [{"x": example}] and json.dumps(schema)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("2026-02-28", True),
        ("2026-02-29", False),
        ("2026-2-28", False),
        ("2026-W09-6", False),
        ("20260228", False),
        ("2026-02-28T00:00:00", False),
        ("9999-12-31", False),
        ("1600-01-01", False),
        ("٢٠٢٦-٠٢-٢٨", False),
        ("", False),
        (20260228, False),
        (None, False),
    ],
)
def test_a_day_is_parsed_strictly(monkeypatch, text, accepted):
    """One spelling, a day that exists, and in the range of training's nanoseconds."""
    schema = described(monkeypatch, pa.Column(pa.DateTime), DAYS)
    assert accepts(schema, text) == accepted


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("2026-02-28T08:15:30Z", True),
        ("2026-02-28t08:15:30.125+01:00", True),
        ("2026-02-28 08:15:30.123456789-05:30", True),
        ("2026-02-28T08:15:30", False),
        ("2026-02-28", False),
        ("2026-02-28T08:15Z", False),
        ("2026-02-28T24:30:00Z", False),
        ("2026-02-28T08:15:30+25:00", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("9999-12-31T23:59:59-14:00", False),
        (1772266530, False),
    ],
)
@pytest.mark.parametrize("unit", ["ns", "us"])
def test_a_time_needs_its_offset(monkeypatch, text, accepted, unit):
    """RFC 3339: without an offset it is no moment."""
    values = pd.Series(DAYS.tz_localize("Europe/Berlin").as_unit(unit))
    schema = described(monkeypatch, pa.Column(aware("Europe/Berlin", unit)), values)
    assert accepts(schema, text) == accepted


def accepts(schema, value):
    """Whether the service takes a row, from JSON and from Python."""
    request, verdicts = request_type(schema, 1), set()
    for validate, rows in (
        (request.validate_json, json.dumps({"rows": [{"x": value}]})),
        (request.validate_python, {"rows": [{"x": value}]}),
    ):
        try:
            validate(rows)
            verdicts.add(True)
        except ValidationError as error:
            assert explain(error, schema, 1)["detail"][0]["field"] == "rows.0.x"
            verdicts.add(False)
    assert len(verdicts) == 1
    return verdicts.pop()


@pytest.mark.parametrize(
    ("check", "phrase", "inside", "outside"),
    [
        (pa.Check.ge(pd.Timestamp("2026-01-01")), "from 2026-01-01", "2026-01-01", "2025-12-31"),
        (pa.Check.lt(pd.Timestamp("2026-02-01")), "before 2026-02-01", "2026-01-31", "2026-02-01"),
        (
            pa.Check.in_range(pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-31")),
            "from 2026-01-01 to 2026-01-31",
            "2026-01-31",
            "2026-02-01",
        ),
    ],
    ids=["ge", "lt", "in_range"],
)
def test_the_checks_of_a_day_hold_in_the_service(monkeypatch, check, phrase, inside, outside):
    """As they do in training, and the message names them."""
    schema = described(monkeypatch, pa.Column(pa.DateTime, check), DAYS)
    assert phrase in allowed(schema["properties"]["x"])
    assert accepts(schema, inside) and not accepts(schema, outside)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (pa.Column(pa.DateTime), DAYS + pd.Timedelta(hours=8), "'x' holds times of day without a"),
        (pa.Column(pa.DateTime, pa.Check.isin(list(DAYS))), DAYS, "cannot apply the check 'isin'"),
        (
            pa.Column(aware("Europe/Berlin"), pa.Check.ge(pd.Timestamp("2026-01-01"))),
            DAYS.tz_localize("Europe/Berlin"),
            "'x' has a bound of the check without a time zone",
        ),
        (
            pa.Column(pd.DatetimeTZDtype("ns", timezone(timedelta(hours=1)))),
            DAYS.tz_localize(timezone(timedelta(hours=1))),
            "'x' has the time zone UTC.01:00, which the service does not know. Name one of the",
        ),
        (pa.Column("timedelta64[ns]"), pd.to_timedelta([1]), "'x' has the type timedelta64"),
    ],
    ids=["times without a zone", "a list", "a bound without a zone", "an offset", "a duration"],
)
def test_what_the_service_cannot_take_is_named(monkeypatch, column, values, message):
    """A time without a zone would lose its hour, or mean another one to the client."""
    with pytest.raises(UserError, match=message):
        described(monkeypatch, column, values)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_lists_hold_what_a_frame_holds(zone):
    """The hour in the zone that training saw, whatever offset the client sends."""
    at = pd.Series(pd.to_datetime(["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", None]))
    frame = pd.DataFrame({"day": DAYS[:3], "at": at.dt.tz_convert(zone)})
    rules = {
        "day": {"format": "date"},
        "at": {"format": "date-time", "x-time-zone": zone},
    }
    sent = as_sent(frame)
    json.dumps(sent)
    for one, row in zip(sent, as_records(frame), strict=True):
        for name, rule in rules.items():
            got = one[name] and times.reader(rule)(one[name])
            assert got == row[name]
            assert got is None or (got.hour, got.weekday()) == (row[name].hour, row[name].weekday())
    other = times.reader(rules["at"])("2026-03-28T19:59:59-05:00")
    assert other.hour == frame["at"][0].hour and other.utcoffset() == frame["at"][0].utcoffset()
    lists = np.asarray([times.reader(rules["day"])(row["day"]) for row in sent], "datetime64[ns]")
    assert (lists == frame["day"].to_numpy()).all()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_frame_of_the_service_is_that_of_training(zone):
    """With FRAME the model gets a frame; a single row without a value has its type too."""
    at = pd.Series(pd.to_datetime(["2026-03-29T01:00:00Z", None])).dt.tz_convert(zone)
    frame = pd.DataFrame({"day": DAYS[:2].as_unit("us"), "at": at})
    read = {
        "day": times.reader({"format": "date"}),
        "at": times.reader({"format": "date-time", "x-time-zone": zone}),
    }
    sent, make = as_sent(frame), Frames(column_types(frame))
    lists = {name: [row[name] and read[name](row[name]) for row in sent] for name in read}
    pd.testing.assert_frame_equal(make(lists), frame)
    last = {name: values[1:] for name, values in lists.items()}
    pd.testing.assert_frame_equal(make(last), frame[1:].reset_index(drop=True))


def test_utc_needs_no_database_of_time_zones():
    """An image without one serves all the same."""
    assert times.reader({"format": "date-time", "x-time-zone": "UTC"})(
        "2026-01-01T00:00:00Z"
    ) == datetime(2026, 1, 1, tzinfo=UTC)
