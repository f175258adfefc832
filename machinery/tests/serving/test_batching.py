"""Requests that come together: one call of the model, and to each what it would get alone."""

import asyncio
import json
import shutil
from http.client import HTTPConnection

import pytest

from machinery.tests.waiting import HANG_SECONDS, paused
from mlops.serving.batching import Queue
from mlops.serving.limits import Refusal, Room
from mlops.serving.schema import request_type
from mlops.serving.scorer import Scorer

SCHEMA = {"properties": {"size": {"type": "integer", "minimum": 1, "maximum": 99}}}
ROOM = {
    "max_waiting": 8,
    "max_wait_seconds": HANG_SECONDS,
    "batch_rows": 4,
    "max_held_bytes": 999,
}
JSON = {"content-type": "application/json"}
REST = {"max_connections": 1, "arrive_seconds": 1}


class Team(Scorer):
    """A scorer whose model doubles, fails on 13, and tells what it was asked."""

    def __init__(self):  # pylint: disable=super-init-not-called # there is no bundle
        self.schema, self.fields, self.limits = SCHEMA, ("size",), {"max_rows": 10}
        self._quick, self._predict, self.calls = request_type(SCHEMA, 10, "allow"), self.double, []

    def double(self, columns):
        """Score, or raise."""
        self.calls.append(columns["size"])
        if 13 in columns["size"]:
            raise ZeroDivisionError
        return [2 * size for size in columns["size"]]


class Noted(list):
    """Stands for the journal: keeps what was scored."""

    def scored(self, made):
        """Note rows and scores."""
        assert len(set(made.ids)) == len(made.scores)
        self.append((made.columns["size"], made.scores))


@pytest.fixture
def team():
    """A scorer and its journal."""
    return Team(), Noted()


def ask(team, *requests, **room):
    """Ask for all of them at once; return the scores of each, or what was raised."""
    queue = Queue(team[0], Room(**REST, **(ROOM | room)), team[1])

    async def together():
        bodies = [json.dumps({"rows": [{"size": size} for size in one]}) for one in requests]
        asked = (queue.predictions(body.encode()) for body in bodies)
        answers = asyncio.gather(*asked, return_exceptions=True)
        return await asyncio.wait_for(answers, HANG_SECONDS)

    return [_scores(one) for one in asyncio.run(together())]


def _scores(made):
    if isinstance(made, Refusal):
        return made.status
    told = [json.loads(b"{%b}" % one) for one in made]
    assert len({one["id"] for one in told}) == len(told)
    return [one["score"] for one in told]


def test_one_call_answers_those_who_came_together(team):
    """Each gets the scores of its own rows, in its order."""
    assert ask(team, [1], [5, 2], [3]) == [[2], [10, 4], [6]]
    assert team[0].calls == [[1, 5, 2, 3]]
    assert team[1] == [([1, 5, 2, 3], [2, 10, 4, 6])]


def test_a_call_is_full_at_so_many_rows(team):
    """The next requests wait for another one; a large one goes whole."""
    assert ask(team, [1], [2, 3, 4, 5], [6], [7]) == [[2], [4, 6, 8, 10], [12], [14]]
    assert team[0].calls == [[1, 2, 3, 4, 5], [6, 7]]


def test_nobody_need_share_a_call(team):
    """A model that looks at other rows than its own is asked for one request at a time."""
    assert ask(team, [1], [2], [3], batch_rows=1) == [[2], [4], [6]]
    assert team[0].calls == [[1], [2], [3]]


def test_a_mistake_is_its_makers_alone(team):
    """What is not as described is not scored, and the others are."""
    assert ask(team, [1], [100], ["x"], [2], [3]) == [[2], 400, 400, [4], [6]]
    assert team[0].calls == [[1], [2, 3]]


def test_nobody_waits_for_many_mistakes_to_be_explained(team):
    """The event loop has its turn after each."""
    queue = Queue(team[0], Room(**REST, **ROOM), team[1])

    async def watched():
        asked = [asyncio.ensure_future(queue.predictions(b"{")) for _ in range(4)]
        done = [0]
        while done[-1] < 4:
            await asyncio.sleep(0)
            done.append(sum(one.done() for one in asked))
        await asyncio.gather(*asked, return_exceptions=True)
        return set(done)

    assert asyncio.run(watched()) == {0, 1, 2, 3, 4}


def test_what_a_model_fails_on_fails_nobody_else(team):
    """Those before and after it are scored without it; what got no score is not noted."""
    assert ask(team, [1], [13], [2]) == [[2], 500, [4]]
    assert team[1] == [([1], [2]), ([2], [4])]


def test_one_row_that_a_model_fails_on_costs_few_calls(team):
    """The others are asked for again by halves, not one by one."""
    asked, much = [[1]] * 31 + [[13]] + [[1]] * 32, {"max_waiting": 64, "max_held_bytes": 9999}
    assert ask(team, *asked, batch_rows=64, **much) == [[2]] * 31 + [500] + [[2]] * 32
    assert len(team[0].calls) == 13


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, BaseException])
def test_a_model_that_raises_what_is_no_exception_fails_nobody_else(team, monkeypatch, error):
    """A panic of a Rust library is none, and nobody would have been answered."""

    def fail(columns):
        if 13 in columns["size"]:
            raise error
        return columns["size"]

    monkeypatch.setattr(team[0], "_predict", fail)
    assert ask(team, [1], [13], [2]) == [[1], 500, [2]]


def test_a_model_may_change_the_columns_it_is_given(team, monkeypatch):
    """What is counted and logged is what was asked."""

    def change(columns):
        columns["size"][0] = 7
        return columns.pop("size")

    monkeypatch.setattr(team[0], "_predict", change)
    assert ask(team, [1], [2]) == [[7], [2]]
    assert team[1] == [([1, 2], [7, 2])]


def test_one_too_many_and_who_waited_for_too_long_are_told_to_come_back(team):
    """Neither is scored."""
    assert ask(team, *[[1]] * 10) == [[2]] * 8 + [503] * 2
    assert sum(map(len, team[0].calls)) == 8
    assert ask(team, [1], [2], max_wait_seconds=0) == [503, 503]
    assert sum(map(len, team[0].calls)) == 8


def test_what_waits_takes_no_more_memory_than_there_is(team):
    """What comes when it is full comes back later, and finds room again."""
    size = len(json.dumps({"rows": [{"size": 1}]}))
    assert ask(team, [1], [2], [3], max_held_bytes=2 * size) == [[2], [4], 503]
    queue = Queue(team[0], Room(**REST, **(ROOM | {"max_held_bytes": size})), team[1])
    for _ in range(3):
        asyncio.run(queue.predictions(b'{"rows": [{"size": 1}]}'))


@pytest.mark.parametrize("error", [ZeroDivisionError, BaseException])
def test_a_scorer_that_breaks_leaves_nobody_waiting(team, monkeypatch, error):
    """A mistake of ours ends the request it happened in, as any exception does."""

    def fail(_):
        raise error

    monkeypatch.setattr(team[0], "check", fail)
    made = Queue(team[0], Room(**REST, **ROOM), team[1]).predictions(b"{}")
    with pytest.raises(error):
        asyncio.run(asyncio.wait_for(made, HANG_SECONDS))


def test_who_gave_up_is_left_out(team):
    """A request that was cancelled while it waited does not hold up the next."""
    queue = Queue(team[0], Room(**REST, **ROOM), team[1])

    async def one_gives_up():
        first = asyncio.ensure_future(queue.predictions(b'{"rows": [{"size": 1}]}'))
        second = asyncio.ensure_future(queue.predictions(b'{"rows": [{"size": 2}]}'))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert _scores(asyncio.run(one_gives_up())) == [4]


def at_once(client, worker, bodies):
    """Ask a service for all of them while it holds its breath; return what it answers."""
    connections = [HTTPConnection(client.base_url.host, client.base_url.port) for _ in bodies]
    for connection in connections:
        connection.request("GET", "/version")
        connection.getresponse().read()
    with paused(worker):
        for connection, body in zip(connections, bodies):
            connection.request("POST", "/predict", body, JSON)
    return [connection.getresponse() for connection in connections]


def scores(answer):
    """The scores in an answer; the ids are given once."""
    return [one["score"] for one in answer.get("predictions", ())]


def test_each_gets_from_the_service_what_it_gets_alone(client, row, worker_of):
    """Twenty at once, three of them mistaken and two that the model fails on."""
    changes = [{"size": 1 + i} for i in range(15)]
    changes += [{"size": 0}, {"color": "x"}, {"kind": 1}, {"town": "QQX"}, {"town": "QQY"}]
    bodies = [json.dumps({"rows": [row, {**row, **change}]}) for change in changes]
    alone = [client.post("/predict", content=body, headers=JSON) for body in bodies]
    answers = at_once(client, worker_of(client), bodies)
    assert [answer.status for answer in answers] == [200] * 15 + [400] * 3 + [500] * 2
    for answer, expected in zip(answers, alone):
        told, expected = json.load(answer), expected.json()
        assert told.get("detail") == expected.get("detail")
        assert scores(told) == pytest.approx(scores(expected))


def test_the_service_asks_its_model_for_several_at_once(
    unpacked, tmp_path, serving, row, worker_of
):
    """At most as many rows a call as params.yaml says."""
    bundle, calls = shutil.copytree(unpacked, tmp_path / "bundle"), tmp_path / "calls"
    file, size = bundle / "src/model/__init__.py", "    size = np.asarray("
    tell = f"    print(len(columns['size']), file=open({str(calls)!r}, 'a'))\n"
    file.write_text(file.read_text("utf-8").replace(size, tell + size), "utf-8")
    record = json.loads((bundle / "src/record.json").read_text("utf-8"))
    record["params"]["values"]["serve"]["batch_rows"] = 8
    (bundle / "src/record.json").write_text(json.dumps(record), "utf-8")
    (tmp_path / "run").mkdir()
    with serving(bundle, tmp_path / "run") as client:
        answers = at_once(client, worker_of(client), [json.dumps({"rows": [row]})] * 20)
    assert {answer.status for answer in answers} == {200}
    assert 1 < max(map(int, calls.read_text("utf-8").split())) <= 8
