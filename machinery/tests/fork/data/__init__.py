"""Taxi fares, made up by a formula: a small regression, a partition a quarter."""

import hashlib

import numpy as np
import pandas as pd
import pandera.pandas as pa

TARGET = "fare"
TIME = "at"
SLICES = ("zone",)
SCHEMA = pa.DataFrameSchema(
    {
        "at": pa.Column(pa.DateTime, description="when the ride began"),
        "km": pa.Column(float, pa.Check.in_range(0, 100), description="length of the ride, km"),
        "zone": pa.Column(str, pa.Check.isin(["inner", "outer"]), description="where it began"),
        "wait": pa.Column(float, pa.Check.ge(0), nullable=True, description="minutes waited"),
        "fare": pa.Column(float, pa.Check.ge(0), description="what was paid"),
    },
    strict=True,
)


def partitions():
    """Return the names of the quarters."""
    return ["q1", "q2", "q3", "q4"]


def load(name):
    """Return the rides of a quarter and their fingerprint."""
    number = int(name[1:]) - 1
    random = np.random.default_rng(number)
    rows = pd.DataFrame(
        {
            "at": pd.Timestamp(2020, 3 * number + 1, 1)
            + pd.to_timedelta(np.arange(600) * 3, unit="h"),
            "km": random.uniform(1, 20, 600).round(1),
            "zone": random.choice(["inner", "outer"], 600),
            "wait": np.where(random.random(600) < 0.3, np.nan, random.uniform(0, 9, 600).round(1)),
        }
    )
    cost = 3 + 2 * rows["km"] + (rows["zone"] == "outer") * 4 + rows["wait"].fillna(0)
    rows["fare"] = (cost + random.normal(0, 1, 600)).clip(lower=0)
    return rows, f"sha256:{hashlib.sha256(rows.to_csv().encode()).hexdigest()}"
