"""Requests that arrive together share one call of the model; each gets its usual answer."""

import asyncio
import json
import shutil
from http.client import HTTPConnection

import pytest

from machinery.tests.waiting import HANG_SECONDS, paused
from mlops.serving.answer import Answer
from mlops.serving.batching import BatchQueue
from mlops.serving.limits import Capacity, RequestRejected
from mlops.serving.schema import request_type
from mlops.serving.scorer import Scorer

SCHEMA = {"properties": {"size": {"type": "integer", "minimum": 1, "maximum": 99}}}
LIMITS = {
    "max_waiting": 8,
    "max_wait_seconds": HANG_SECONDS,
    "batch_rows": 4,
    "max_held_bytes": 999,
}
JSON = {"content-type": "application/json"}
OTHER_LIMITS = {"max_connections": 1, "arrive_seconds": 1}


class DoublingScorer(Scorer):  # pylint: disable=too-many-instance-attributes # as its base
    """A scorer whose model doubles, fails on 13, and records its calls."""

    def __init__(self):  # pylint: disable=super-init-not-called # there is no bundle
        self.schema, self.fields, self.limits = SCHEMA, ("size",), {"max_rows": 10}
        self.answer, self.values_a_row = Answer(), 1
        self._quick, self._predict, self.calls = request_type(SCHEMA, 10, "allow"), self.double, []

    def double(self, columns):
        """Return the double of each size, or raise."""
        self.calls.append(columns["size"])
        if 13 in columns["size"]:
            raise ZeroDivisionError
        return [2 * size for size in columns["size"]]


class FakeRecorder(list):
    """Collects the rows and scores that it is to record."""

    def batch_scored(self, batch):
        """Record rows and scores."""
        assert len(set(batch.ids)) == len(batch.scores)
        self.append((batch.columns["size"], batch.scores))


@pytest.fixture
def team():
    """A scorer and a recorder."""
    return DoublingScorer(), FakeRecorder()


def ask(team, *requests, **limits):
    """Send all requests at once; return the scores or the status of each."""
    queue = BatchQueue(team[0], Capacity(**OTHER_LIMITS, **(LIMITS | limits)), team[1])

    async def together():
        bodies = [json.dumps({"rows": [{"size": size} for size in sizes]}) for sizes in requests]
        answers = (queue.predictions(body.encode()) for body in bodies)
        all_answers = asyncio.gather(*answers, return_exceptions=True)
        return await asyncio.wait_for(all_answers, HANG_SECONDS)

    return [_scores(answer) for answer in asyncio.run(together())]


def _scores(answer):
    if isinstance(answer, RequestRejected):
        return answer.status
    predictions = [json.loads(b"{%b}" % prediction) for prediction in answer]
    assert len({prediction["id"] for prediction in predictions}) == len(predictions)
    return [prediction["score"] for prediction in predictions]


def test_one_call_answers_requests_that_arrive_together(team):
    """Each request gets the scores of its own rows, in its order."""
    assert ask(team, [1], [5, 2], [3]) == [[2], [10, 4], [6]]
    assert team[0].calls == [[1, 5, 2, 3]]
    assert team[1] == [([1, 5, 2, 3], [2, 10, 4, 6])]


def test_a_call_is_full_at_batch_rows(team):
    """The next requests wait for another call; a large request is not split."""
    assert ask(team, [1], [2, 3, 4, 5], [6], [7]) == [[2], [4, 6, 8, 10], [12], [14]]
    assert team[0].calls == [[1, 2, 3, 4, 5], [6, 7]]


def test_batching_can_be_turned_off(team):
    """A model whose scores depend on other rows gets one request a call."""
    assert ask(team, [1], [2], [3], batch_rows=1) == [[2], [4], [6]]
    assert team[0].calls == [[1], [2], [3]]


def test_an_invalid_request_fails_no_other(team):
    """The invalid ones are not scored; the others are."""
    assert ask(team, [1], [100], ["x"], [2], [3]) == [[2], 400, 400, [4], [6]]
    assert team[0].calls == [[1], [2, 3]]


def test_explaining_many_invalid_requests_blocks_nothing(team):
    """The event loop runs after each explanation."""
    queue = BatchQueue(team[0], Capacity(**OTHER_LIMITS, **LIMITS), team[1])

    async def watched():
        answers = [asyncio.ensure_future(queue.predictions(b"{")) for _ in range(4)]
        counts = [0]
        while counts[-1] < 4:
            await asyncio.sleep(0)
            counts.append(sum(answer.done() for answer in answers))
        await asyncio.gather(*answers, return_exceptions=True)
        return set(counts)

    assert asyncio.run(watched()) == {0, 1, 2, 3, 4}


def test_a_request_that_the_model_fails_on_fails_no_other(team):
    """The requests before and after it are scored without it; it is not recorded."""
    assert ask(team, [1], [13], [2]) == [[2], 500, [4]]
    assert team[1] == [([1], [2]), ([2], [4])]


def test_one_row_that_a_model_fails_on_costs_few_calls(team):
    """The batch is split in halves, not into single requests."""
    requests = [[1]] * 31 + [[13]] + [[1]] * 32
    limits = {"batch_rows": 64, "max_waiting": 64, "max_held_bytes": 9999}
    assert ask(team, *requests, **limits) == [[2]] * 31 + [500] + [[2]] * 32
    assert len(team[0].calls) == 13


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, BaseException])
def test_a_model_that_raises_a_base_exception_fails_no_other_request(team, monkeypatch, error):
    """A panic of a Rust library is a BaseException; uncaught, no request would be answered."""

    def fail(columns):
        if 13 in columns["size"]:
            raise error
        return columns["size"]

    monkeypatch.setattr(team[0], "_predict", fail)
    assert ask(team, [1], [13], [2]) == [[1], 500, [2]]


def test_a_model_may_change_its_arguments(team, monkeypatch):
    """The rows of the request are counted and logged, not the changed ones."""

    def change(columns):
        columns["size"][0] = 7
        return columns.pop("size")

    monkeypatch.setattr(team[0], "_predict", change)
    assert ask(team, [1], [2]) == [[7], [2]]
    assert team[1] == [([1, 2], [7, 2])]


def test_an_excess_request_and_one_that_waited_too_long_get_503(team):
    """Neither is scored."""
    assert ask(team, *[[1]] * 10) == [[2]] * 8 + [503] * 2
    assert sum(map(len, team[0].calls)) == 8
    assert ask(team, [1], [2], max_wait_seconds=0) == [503, 503]
    assert sum(map(len, team[0].calls)) == 8


def test_waiting_requests_take_bounded_memory(team):
    """A request beyond the limit gets 503; memory that is freed is available again."""
    size = len(json.dumps({"rows": [{"size": 1}]}))
    assert ask(team, [1], [2], [3], max_held_bytes=2 * size) == [[2], [4], 503]
    queue = BatchQueue(
        team[0], Capacity(**OTHER_LIMITS, **(LIMITS | {"max_held_bytes": size})), team[1]
    )
    for _ in range(3):
        asyncio.run(queue.predictions(b'{"rows": [{"size": 1}]}'))


@pytest.mark.parametrize("error", [ZeroDivisionError, BaseException])
def test_an_error_in_the_check_ends_its_request(team, monkeypatch, error):
    """The client is not left waiting."""

    def fail(_):
        raise error

    monkeypatch.setattr(team[0], "check", fail)
    queue = BatchQueue(team[0], Capacity(**OTHER_LIMITS, **LIMITS), team[1])
    with pytest.raises(error):
        asyncio.run(asyncio.wait_for(queue.predictions(b"{}"), HANG_SECONDS))


def test_a_cancelled_request_is_left_out(team):
    """A request that is cancelled while it waits does not block the next."""
    queue = BatchQueue(team[0], Capacity(**OTHER_LIMITS, **LIMITS), team[1])

    async def cancel_the_first():
        first = asyncio.ensure_future(queue.predictions(b'{"rows": [{"size": 1}]}'))
        second = asyncio.ensure_future(queue.predictions(b'{"rows": [{"size": 2}]}'))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert _scores(asyncio.run(cancel_the_first())) == [4]


def at_once(client, worker, bodies):
    """Send all bodies while the worker is suspended; return the answers."""
    connections = [HTTPConnection(client.base_url.host, client.base_url.port) for _ in bodies]
    for connection in connections:
        connection.request("GET", "/version")
        connection.getresponse().read()
    with paused(worker):
        for connection, body in zip(connections, bodies):
            connection.request("POST", "/predict", body, JSON)
    return [connection.getresponse() for connection in connections]


def scores(answer):
    """The scores in an answer."""
    return [prediction["score"] for prediction in answer.get("predictions", ())]


def test_a_batched_request_gets_the_same_answer_as_alone(client, row, worker_of):
    """Twenty at once: three of them are invalid, and the model fails on two."""
    changes = [{"size": 1 + i} for i in range(15)]
    changes += [{"size": 0}, {"color": "x"}, {"kind": 1}, {"town": "QQX"}, {"town": "QQY"}]
    bodies = [json.dumps({"rows": [row, {**row, **change}]}) for change in changes]
    alone = [client.post("/predict", content=body, headers=JSON) for body in bodies]
    answers = at_once(client, worker_of(client), bodies)
    assert [answer.status for answer in answers] == [200] * 15 + [400] * 3 + [500] * 2
    for answer, expected in zip(answers, alone):
        content, expected = json.load(answer), expected.json()
        assert content.get("detail") == expected.get("detail")
        assert scores(content) == pytest.approx(scores(expected))


def test_the_service_batches_up_to_batch_rows(unpacked, tmp_path, serving, row, worker_of):
    """A call has no more rows than params.yaml allows."""
    bundle, calls = shutil.copytree(unpacked, tmp_path / "bundle"), tmp_path / "calls"
    file, size = bundle / "src/model/__init__.py", "    size = np.asarray("
    log = f"    print(len(columns['size']), file=open({str(calls)!r}, 'a'))\n"
    file.write_text(file.read_text("utf-8").replace(size, log + size), "utf-8")
    record = json.loads((bundle / "src/record.json").read_text("utf-8"))
    record["params"]["values"]["serve"]["batch_rows"] = 8
    (bundle / "src/record.json").write_text(json.dumps(record), "utf-8")
    (tmp_path / "run").mkdir()
    with serving(bundle, tmp_path / "run") as client:
        answers = at_once(client, worker_of(client), [json.dumps({"rows": [row]})] * 20)
    assert {answer.status for answer in answers} == {200}
    assert 1 < max(map(int, calls.read_text("utf-8").split())) <= 8
