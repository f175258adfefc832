"""The schema is an allow-list: good months pass, and each kind of bad row is refused."""

import pandera.errors
import pytest

import data


def refused(frame) -> set[tuple[str, str]]:
    """The pairs of column and check that the schema found failing."""
    with pytest.raises(pandera.errors.SchemaErrors) as caught:
        data.SCHEMA.validate(frame, lazy=True)
    cases = caught.value.failure_cases
    return set(zip(cases["column"].astype(str), cases["check"].astype(str)))


@pytest.mark.parametrize("name", data.partitions())
def test_accepts_every_month(name):
    """Every committed month passes, alone."""
    data.SCHEMA.validate(data.load(name)[0], lazy=True)


def test_accepts_a_new_destination(january):
    """Airlines open routes: a destination never seen passes."""
    data.SCHEMA.validate(january.assign(dest="ZZZ"), lazy=True)


def test_refuses_a_leaking_column(january):
    """The delay at departure is not known when the question is asked."""
    frame = january.assign(dep_delay=january["late"].astype("float32"))
    with pytest.raises(pandera.errors.SchemaErrors, match="dep_delay"):
        data.SCHEMA.validate(frame, lazy=True)


def test_refuses_a_missing_column(january):
    """Every column must be there."""
    with pytest.raises(pandera.errors.SchemaErrors, match="wind_gust"):
        data.SCHEMA.validate(january.drop(columns="wind_gust"), lazy=True)


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [
        ("humid", 100.5, "in_range(0, 100)"),
        ("temp", float("inf"), "in_range(-40, 130)"),
        ("hour", 24, "in_range(0, 23)"),
        ("late", 2, "isin([0, 1])"),
        ("origin", "BOS", "isin(['EWR', 'JFK', 'LGA'])"),
        ("dest", "bos", "str_matches('^[A-Z]{3}$')"),
        ("dest", "BOSTON", "str_matches('^[A-Z]{3}$')"),
        ("carrier", None, "not_nullable"),
    ],
)
def test_refuses_a_value(january, column, value, check):
    """One bad value in a month is found, with its column and its check."""
    frame = january.copy()
    frame.loc[7, column] = value
    assert refused(frame) == {(column, check)}


def test_refuses_an_unknown_carrier(january):
    """A new airline is a change of the data that people should see."""
    frame = january.copy()
    frame.loc[7, "carrier"] = "XX"
    assert {column for column, _ in refused(frame)} == {"carrier"}


def test_refuses_missing_whole_numbers(january):
    """A missing distance turns the column into floats, which is no longer its type."""
    frame = january.copy()
    frame.loc[7, "distance"] = float("nan")
    assert ("distance", "dtype('int16')") in refused(frame)


def test_every_column_is_described():
    """The descriptions become the documentation of the HTTP service."""
    assert [name for name, column in data.SCHEMA.columns.items() if not column.description] == []


def test_the_roles_are_columns():
    """TARGET, TIME and SLICES name columns of the schema, and no column has two roles."""
    roles = [data.TARGET, data.TIME, *data.SLICES]
    assert len(set(roles) & set(data.SCHEMA.columns)) == len(roles)
