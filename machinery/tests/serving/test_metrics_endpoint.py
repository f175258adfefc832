"""The metrics at /metrics: what they count, and that no client can add series."""

import socket

import pytest

from mlops.serving import metrics


def figures(client):
    """All series and their values."""
    lines = client.get("/metrics").text.splitlines()
    split = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in split}


def growth(client, ask):
    """The increase of each series during a call."""
    before = figures(client)
    ask()
    return {
        name: value - before.get(name, 0)
        for name, value in figures(client).items()
        if value != before.get(name, 0)
    }


def test_a_request_is_counted_and_timed(client, row):
    """The counter has path and status; the histogram counts every bucket above the time."""
    grown = growth(client, lambda: client.post("/predict", json={"rows": [row] * 3}))
    assert grown['mlops_requests_total{path="/predict",status="200"}'] == 1
    assert grown['mlops_request_seconds_bucket{le="+Inf",path="/predict"}'] == 1
    assert grown["mlops_predictions_total"] == 3


@pytest.mark.parametrize(
    "reason, ask",
    [
        ("bad_request", {"content": b"{"}),
        ("media_type", {"content": b"{}", "headers": {"content-type": "text/csv"}}),
        ("too_large", {"content": b" " * 2**19}),
        ("model", {"json": {"rows": ["QQX"]}}),
    ],
)
def test_a_refusal_is_counted_by_its_reason(client, row, reason, ask):
    """The metric shows whose mistake it is, without a look at the logs."""
    if reason == "model":
        ask = {"json": {"rows": [{**row, "town": "QQX"}]}}
    grown = growth(client, lambda: client.post("/predict", **ask))
    assert grown[f'mlops_refused_total{{reason="{reason}"}}'] == 1


def test_scores_are_a_histogram(client, row):
    """A probability has steps of 0.05; the histogram's sum is that of the scores."""
    predictions = []
    grown = growth(
        client,
        lambda: predictions.extend(
            client.post("/predict", json={"rows": [row] * 3}).json()["predictions"]
        ),
    )
    score, below = predictions[0]["score"], 'mlops_score_bucket{le="'
    counted = [float(name[len(below) : -2]) for name in grown if name.startswith(below)]
    assert min(counted) - 0.05 <= score <= min(counted)
    assert grown["mlops_score_sum"] == pytest.approx(3 * score)
    assert grown["mlops_score_count"] == 3


def test_a_category_that_training_has_not_seen_is_counted(client, row):
    """It is counted by field and row; a missing value is not."""
    rows = [{**row, "town": "NEW"}, {**row, "town": "NEW"}, {**row, "kind": None}]
    grown = growth(client, lambda: client.post("/predict", json={"rows": rows}))
    unseen = {name: value for name, value in grown.items() if name.startswith("mlops_unseen")}
    assert unseen == {'mlops_unseen_total{field="town"}': 2}


def test_asking_for_thousands_of_paths_adds_no_series(client):
    """Requests for unknown paths cost no memory."""
    client.get("/nothing")
    before = figures(client)
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        for number in range(2000):
            connection.sendall(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number)
        answers = b""
        while answers.count(b"HTTP/1.1 404") < 2000:
            answers += connection.recv(2**16)
    after = figures(client)
    assert after.keys() == before.keys()
    other = 'mlops_requests_total{path="other",status="404"}'
    assert after[other] == before[other] + 2000


@pytest.mark.parametrize(
    "target, edges",
    [
        ({"values": ["0", "1"]}, metrics.PROBABILITIES),
        ({"values": ["True", "False"]}, metrics.PROBABILITIES),
        ({"edges": [10, 20.5]}, (10, 20.5)),
        ({"values": ["3", "1", "2"]}, (1, 2, 3)),
    ],
)
def test_the_buckets_of_scores_follow_the_target(target, edges):
    """A probability has fixed steps; another number has the edges of its values in training."""
    reference = {"size": {"edges": [1]}, "late": target}
    fields = {"size": {"type": "integer"}}
    assert metrics._edges(reference, fields) == edges  # pylint: disable=protected-access
