"""A fork whose rows hold days and times: the model sees them alike in training and in service."""

import json
import urllib.error
import urllib.request

import pytest

from machinery.tests.forks import deployed_with, require_comparable
from machinery.tests.waiting import HANG_SECONDS

COLUMNS = """        "day": pa.Column(pa.DateTime, description="day of the ride"),
        "booked": pa.Column(
            pd.DatetimeTZDtype("us", "Europe/Berlin"), nullable=True, description="when it was booked"
        ),
        "fare": pa."""
ROWS = """    rows.insert(4, "day", rows["at"].dt.floor("D"))
    booked = (rows["at"] - pd.Timedelta(hours=7)).dt.tz_localize("UTC")
    rows.insert(5, "booked", booked.dt.tz_convert("Europe/Berlin").where(rows.index % 5 > 0))
    return rows, f"""
# Uses the weekday of the one and the local hour of the other, from lists and frames alike.
MODEL = """    wait = wait + [at.hour / 100 if at == at and at else 0.0 for at in columns["booked"]]
    wait = wait + [day.weekday() / 100 for day in columns["day"]]
    outer"""
RIDE = {"km": 10.0, "zone": "outer", "wait": None, "day": "2020-11-02", "booked": None}


@pytest.fixture(scope="module")
def deployed(fork):
    """The fork with its model deployed to dev."""
    return deployed_with(fork, COLUMNS, ROWS, MODEL)


def post(fork, path, body=None):
    """Ask the service in dev."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{fork.port('dev')}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=HANG_SECONDS) as response:
        return json.load(response)


def test_text_in_a_request_is_a_time_for_the_model(deployed):
    """The coefficient of a minute waited is 1: a weekday more costs .01, a local hour too."""

    def score(**changed):
        (prediction,) = post(deployed, "/predict", {"rows": [RIDE | changed]})["predictions"]
        return prediction["score"]

    assert score(day="2020-11-05") - score() == pytest.approx(0.03, rel=0.1)
    noon = score(booked="2020-11-02T11:00:00Z")
    assert noon - score() == pytest.approx(0.12, rel=0.1)
    assert score(booked="2020-11-02T06:00:00-05:00") == noon


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({"day": "2020-11-31"}, "a day as YYYY-MM-DD"),
        ({"booked": "2020-11-02T06:00:00"}, "a time with its offset"),
    ],
)
def test_another_spelling_is_refused(deployed, changed, allowed):
    """With the one that is allowed."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(deployed, "/predict", {"rows": [RIDE | changed]})
    (problem,) = json.load(refused.value)["detail"]
    assert problem["field"] == f"rows.0.{next(iter(changed))}"
    assert problem["allowed"].startswith(allowed)


def test_the_description_of_the_service_names_the_formats(deployed):
    """As OpenAPI does."""
    document = post(deployed, "/docs.json")
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    fields = content["schema"]["properties"]["rows"]["items"]["properties"]
    assert fields["day"]["format"] == "date"
    assert fields["booked"]["format"] == "date-time"
    assert post(deployed, "/predict", content["example"])["predictions"]


def test_the_load_test_and_the_monitor_take_them(deployed):
    """Locust's requests are answered, and the log of them is read."""
    deployed.mlops("loadtest", "--env", "dev")
    done = deployed.mlops("monitor", "--env", "dev", "--no-fail")
    assert "Traceback" not in done.stdout + done.stderr


def test_the_next_release_is_compared_with_this_one(deployed):
    """The champion scores a file of rows with days and times; lists score as a frame."""
    require_comparable(deployed)
