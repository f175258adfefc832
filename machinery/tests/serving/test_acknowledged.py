"""Every answered prediction is logged or metric, whatever happens to the service or its disk."""

import json
import os
import resource
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from machinery.tests.waiting import HANG_SECONDS

LOG = "predictions/predictions-1.jsonl"
UNLOGGED = "mlops_predictions_unlogged_total"


def logged_ids(path):
    """The ids of all whole lines."""
    ids = set()
    for line in path.read_text().splitlines():
        try:
            ids.update(json.loads(line)["id"])
        except ValueError:
            continue
    return ids


def metric(client, name):
    """The value of a metric without labels."""
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


@pytest.fixture
def ask(row):
    """A function that asks for a score and returns its id."""

    def post(client):
        return client.post("/predict", json={"rows": [row]}).json()["predictions"][0]["id"]

    return post


def test_a_graceful_stop_loses_no_answered_prediction(unpacked, tmp_path, serving, ask):
    """Four clients ask until the service is gone: every answer that they got is in the log."""
    answered = []

    def until_it_is_gone(url):
        with httpx.Client(base_url=url, trust_env=False, timeout=HANG_SECONDS) as client:
            while True:
                try:
                    answered.append(ask(client))
                except httpx.TransportError:
                    return

    with ThreadPoolExecutor(4) as clients:
        environ = {"MLOPS_PREDICTIONS": str(tmp_path / "predictions")}
        with serving(unpacked, tmp_path, **environ) as client:
            asking = [clients.submit(until_it_is_gone, client.base_url) for _ in range(4)]
            while len(answered) < 200 and not any(one.done() for one in asking):
                ask(client)
        for one in asking:
            one.result()
    assert len(answered) >= 200 and set(answered) <= logged_ids(tmp_path / LOG)


def test_a_disk_that_fills_up_costs_no_answer_and_no_count(
    unpacked, tmp_path, serving, ask, worker_of
):
    """Each prediction is a whole line or counted as lost; with space again, all are lines."""
    environ = {"MLOPS_PREDICTIONS": str(tmp_path / "predictions")}
    with serving(unpacked, tmp_path, **environ) as client:
        process, answered = worker_of(client), [ask(client)]
        before = process.rlimit(resource.RLIMIT_FSIZE)
        process.rlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        answered += [ask(client) for _ in range(20)]
        while metric(client, UNLOGGED) < 10:
            answered.append(ask(client))
        process.rlimit(resource.RLIMIT_FSIZE, before)
        later = [ask(client) for _ in range(3)]
        while not set(later) <= logged_ids(tmp_path / LOG):
            later.append(ask(client))
        lost = metric(client, UNLOGGED)
    logged = logged_ids(tmp_path / LOG)
    assert set(later) <= logged and len(logged & set(answered)) + lost == len(answered)
    assert os.path.getsize(tmp_path / LOG) > 1000
