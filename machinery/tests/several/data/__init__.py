"""Taxi rides, made up by a formula, with three outcomes; TARGET chooses among them."""

import hashlib

import numpy as np
import pandas as pd
import pandera.pandas as pa

TARGET = "fare"
TIME = "at"
QUARTERS = ["q1", "q2", "q3", "q4"]
GROUP = "driver"
TARGETS = (TARGET,) if isinstance(TARGET, str) else TARGET
OUTCOMES = {
    "fare": pa.Column(float, pa.Check.ge(0), description="what was paid"),
    "minutes": pa.Column(float, pa.Check.ge(0), description="how long it took"),
    "payment": pa.Column(
        str, pa.Check.isin(["app", "card", "cash"]), description="how it was paid"
    ),
}
SCHEMA = pa.DataFrameSchema(
    {
        "at": pa.Column(pa.DateTime, description="when the ride began"),
        "driver": pa.Column("int64", description="who drove"),
        "km": pa.Column(float, pa.Check.in_range(0, 100), description="length of the ride, km"),
        "night": pa.Column(bool, description="whether it began at night"),
        **{name: OUTCOMES[name] for name in TARGETS},
    },
    strict=True,
)


def partitions():
    """Return the quarters."""
    return QUARTERS


def load(name):
    """Return the rows of a quarter with the fingerprint of their text."""
    quarter = QUARTERS.index(name)
    random, first = np.random.default_rng(quarter), pd.Timestamp(2020, 3 * quarter + 1, 1)
    rows = pd.DataFrame(
        {
            "at": first + pd.to_timedelta(np.arange(800) * 2, unit="h"),
            "driver": random.integers(0, 60, 800),
            "km": random.uniform(1, 20, 800).round(1),
            "night": random.random(800) < 0.4,
        }
    )
    rows["fare"] = (3 + 2 * rows["km"] + random.normal(0, 1, 800)).clip(lower=0)
    rows["minutes"] = (5 + 3 * rows["km"] + random.normal(0, 4, 800)).clip(lower=0)
    app = rows["night"] & (random.random(800) < 0.8)
    card = rows["km"] + random.normal(0, 3, 800) > 9
    rows["payment"] = np.where(app, "app", np.where(card, "card", "cash"))
    rows = rows[list(SCHEMA.columns)]
    return rows, f"sha256:{hashlib.sha256(rows.to_csv().encode()).hexdigest()}"
