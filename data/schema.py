"""The schema of a row: the allow-list of columns, their types, ranges and categories.

Ranges cover everything that is physically possible, not only the values of 2013. Numbers that can
be missing are floats. The HTTP service takes the descriptions and checks from here, so checks are
pandera's own, never functions.
"""

import pandera.pandas as pa

CARRIERS = "9E AA AS B6 DL EV F9 FL HA MQ OO UA US VX WN YV".split()
ORIGINS = ["EWR", "JFK", "LGA"]
PLANES = ["Fixed wing multi engine", "Fixed wing single engine", "Rotorcraft"]
ENGINES = ["4 Cycle", "Reciprocating", "Turbo-fan", "Turbo-jet", "Turbo-prop", "Turbo-shaft"]


def _whole(dtype: str, low: int, high: int, description: str) -> pa.Column:
    return pa.Column(dtype, pa.Check.in_range(low, high), description=description)


def _measure(low: float, high: float, description: str) -> pa.Column:
    check = pa.Check.in_range(low, high)
    return pa.Column("float32", check, nullable=True, description=description)


def _one_of(values: list[str], description: str, nullable: bool = False) -> pa.Column:
    return pa.Column(str, pa.Check.isin(values), nullable=nullable, description=description)


SCHEMA = pa.DataFrameSchema(
    {
        "date": pa.Column(pa.DateTime, description="local day of the scheduled departure"),
        "dow": _whole("int8", 0, 6, "day of the week, Monday is 0"),
        "hour": _whole("int8", 0, 23, "local hour of the scheduled departure"),
        "sched_dep_min": _whole("int16", 0, 1439, "scheduled departure, minutes after midnight"),
        "sched_arr_min": _whole(
            "int16", 0, 1439, "scheduled arrival, local minutes after midnight"
        ),
        "carrier": _one_of(CARRIERS, "airline, its two-character code"),
        "origin": _one_of(ORIGINS, "airport of departure, its three-letter code"),
        # A pattern, not a list: airlines open new routes, and those rows are valid.
        "dest": pa.Column(
            str,
            pa.Check.str_matches(r"^[A-Z]{3}$"),
            description="airport of arrival, its three-letter code",
        ),
        "distance": _whole("int16", 1, 12500, "distance between the airports, miles"),
        "origin_hour_load": _whole(
            "int16", 1, 200, "departures scheduled from the origin in that hour"
        ),
        "plane_age": _measure(0, 100, "age of the plane, years"),
        "plane_type": _one_of(PLANES, "kind of plane", nullable=True),
        "engine_type": _one_of(ENGINES, "kind of engine", nullable=True),
        "seats": _measure(1, 900, "number of seats of the plane"),
        "engines": _measure(1, 8, "number of engines of the plane"),
        # The weather at the origin, observed one hour before the departure's hour.
        "temp": _measure(-40, 130, "temperature at the origin, degrees Fahrenheit"),
        "dewp": _measure(-60, 100, "dew point at the origin, degrees Fahrenheit"),
        "humid": _measure(0, 100, "relative humidity at the origin, percent"),
        "wind_dir": _measure(0, 360, "direction the wind comes from, degrees"),
        "wind_speed": _measure(0, 200, "wind speed at the origin, miles an hour"),
        "wind_gust": _measure(0, 250, "speed of gusts at the origin, miles an hour"),
        "precip": _measure(0, 15, "rain or snow in an hour, inches of water"),
        "pressure": _measure(850, 1090, "pressure at sea level, millibars"),
        "visib": _measure(0, 10, "visibility at the origin, miles"),
        "late": pa.Column(
            "int8", pa.Check.isin([0, 1]), description="1 if it arrived more than 15 minutes late"
        ),
    },
    strict=True,
    ordered=True,
)
