"""Tables of many kinds: scikit-learn's own, and some made up with what real tables have wrong."""

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from machinery.tests.forks import MACHINERY, Fork, copy

EXAMPLE = (
    *("data", "model", "tests/data", "tests/model", "params.yaml", "params.schema.json"),
    *("README.md", "pyproject.toml", "machinery/pyproject.toml"),
)


def _shop():
    """Orders of two years: customers who return, gaps, an id, a leak, a date known afterwards."""
    rows, random = 3000, np.random.default_rng(0)
    day = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.sort(random.integers(0, 730, rows)), "D")
    weight, zone = random.gamma(2, 2, rows).round(2), random.choice(["north", "south", "far"], rows)
    hours = 20 + 6 * weight + 40 * (zone == "far") + random.normal(0, 8, rows)
    return pd.DataFrame(
        {
            "order_id": [f"o-{n:06}" for n in random.permutation(rows)],
            "ordered": day.strftime("%d.%m.%Y"),
            "customer": random.integers(0, 400, rows),
            "weight": np.where(random.random(rows) < 0.1, np.nan, weight),
            "zone": zone,
            "currency": "EUR",
            "arrived": (day + pd.to_timedelta(hours, "h")).strftime("%d.%m.%Y"),
            "hours": hours.round(1),
            "minutes": (60 * hours).round(),
        }
    )


def _churn():
    """Answers in words, a number column with '?', a copy, remarks of customers."""
    rows, random = 2500, np.random.default_rng(0)
    age, plan = random.integers(18, 80, rows), random.choice(["basic", "plus"], rows)
    leaves = random.random(rows) < 1 / (1 + np.exp(0.1 * (age - 30) + (plan == "plus")))
    words = "good bad slow quick never again always late price friendly help".split()
    return pd.DataFrame(
        {
            "": np.arange(rows),
            "age": np.where(random.random(rows) < 0.05, "?", age.astype(str)),
            "plan": plan,
            "plan_code": np.where(plan == "plus", 2, 1),
            "active": random.random(rows) < 0.5,
            "remark": [" ".join(random.choice(words, 8)) for _ in range(rows)],
            "churned": np.where(leaves, "yes", "no"),
        }
    )


def _load():
    """Each hour of ten weeks, with what is known then and the 24 hours after it as targets."""
    hours, random = 24 * 70, np.random.default_rng(0)
    at = np.arange(hours + 24)
    load = 50 + 12 * np.sin(2 * np.pi * at / 24) + 6 * np.sin(2 * np.pi * at / 168)
    load = (load + np.convolve(random.normal(0, 1, hours + 24), np.ones(6) / 3, "same")).round(2)
    known = {
        "at": pd.date_range("2023-01-02", periods=hours, freq="h"),
        "hour": at[:hours] % 24,
        "load": load[:hours],
        "day_before": np.concatenate([np.full(24, np.nan), load[: hours - 24]]),
    }
    return pd.DataFrame(known | {f"h{ahead}": load[ahead:][:hours] for ahead in range(1, 25)})


def _bundled(name):
    return lambda: getattr(datasets, f"load_{name}")(as_frame=True).frame


# Name: the table, and what is asked of it.
TABLES = {
    "diabetes": (_bundled("diabetes"), "target"),
    "breast_cancer": (_bundled("breast_cancer"), "target"),
    "iris": (_bundled("iris"), "target"),
    "wine": (_bundled("wine"), "target"),
    "digits": (_bundled("digits"), "target"),
    "parcels": (lambda: _shop()[["weight", "zone", "hours", "ordered"]], "weight,hours"),
    "shop": (_shop, "hours"),
    "load": (_load, ",".join(f"h{ahead}" for ahead in range(1, 25))),
    "churn": (_churn, "churned"),
}


@pytest.fixture(scope="session")
def csv(tmp_path_factory):
    """A function that writes one of the tables as a CSV file and returns its path."""
    folder = tmp_path_factory.mktemp("tables")

    def write(name):
        path = folder / f"{name}.csv"
        if not path.exists():
            table = TABLES[name][0]()
            table.to_csv(path, index=False)
        return path

    return write


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A copy of the template as somebody clones it, committed; what runs there is stopped after."""
    repository = Fork(tmp_path_factory.mktemp("template"))
    (repository.folder / "tests").mkdir()
    copy([*MACHINERY, *EXAMPLE], repository.folder)
    repository.begin()
    yield repository
    repository.mlops("down")
