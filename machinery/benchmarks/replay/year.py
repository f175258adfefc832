"""The year in the throw-away clone: serve a month, take its labels, monitor, retrain, judge, ship.

The steps are the real ones, run in this process so that the import bill is paid once. Rows are
scored by the code in production's bundle rather than over HTTP: 200,000 requests take too long.
"""

import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.replay import picture, table
from benchmarks.replay.feed import PLANTED, Feed
from benchmarks.replay.worlds import WORLDS, Year
from mlops import cli, files, git
from mlops.console import Timer, print_error
from mlops.errors import UserError
from mlops.paths import BUILD, DATA_CHECK, MONITOR, PARAMS, VERDICT
from mlops.releases import environments
from mlops.releases.champion import Champion
from mlops.releases.store import Store
from mlops.retraining import triggers
from mlops.serving.log import PredictionLog, ScoredBatch, line
from mlops.statistics import metrics
from mlops.statistics.latency import as_sent
from mlops.training import contract, record

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame

# The first release learns from two partitions and is judged on the third.
FIRST = 2
# Fewer than these leave no month before the bad one, or none after it.
LEAST = 6
LOG = BUILD / "predictions"
JUDGE = ("check-data", "train", "evaluate", "gate")


@dataclass
class Replay:  # pylint: disable=too-many-instance-attributes # the three worlds' state
    """The three worlds on their way through the year."""

    feed: Feed
    months: list[str]
    params: Any
    columns: contract.Columns
    year: Year
    models: dict[str, Any] = field(default_factory=dict)
    story: list[dict[str, Any]] = field(default_factory=list)
    printed: io.StringIO = field(default_factory=io.StringIO)

    def steps(self, *words: str) -> int:
        """Run real steps, keep what they say in build/steps.log, and return how they ended.

        Raises UserError for what is no verdict, and KeyboardInterrupt where the user stopped them.
        """
        self.printed.write(f"\n$ python -m mlops {' '.join(words)}\n")
        with contextlib.redirect_stdout(self.printed), contextlib.redirect_stderr(self.printed):
            code = cli.main(list(words))
        files.write(BUILD / "steps.log", self.printed.getvalue())
        if code == 130:
            raise KeyboardInterrupt
        if code == cli.USAGE:
            raise UserError(f"`{' '.join(words)}` said: {self.printed.getvalue()[-2000:]}")
        return code

    def must(self, *words: str) -> None:
        """Run steps that have to end well; raises UserError with their last words."""
        if self.steps(*words):
            raise UserError(f"`{' '.join(words)}` said: {self.printed.getvalue()[-2000:]}")

    def ship(self) -> None:
        """Pack what passed the gate and promote it through every environment."""
        self.must("package")
        for name in environments.names():
            self.must("promote", "--env", name)


def begin() -> Replay:
    """Plant the bad partition, and ship a first model of the first months."""
    months = list(contract.team_data().partitions())
    if len(months) < LEAST:
        raise UserError(
            f"A replay needs at least {LEAST} partitions, there are {len(months)}: "
            f"{', '.join(months) or 'none'}. It learns from {FIRST}, and serves the others in turn."
        )
    _without_load_tests()
    # Two thirds into the year: models are good by then, and there is time left to see what it does.
    feed = Feed(bad=months[len(months) * 2 // 3 - 1])
    _adopt(months[FIRST], _arrival(feed, months[FIRST]), f"Begin with {months[FIRST]}")
    params = contract.params()
    measured = metrics.chosen(contract.metric_functions(), contract.threshold())
    year = Year([m for m in measured if m.name in params.gate.margins], params.evaluate)
    columns = contract.columns(params.gate.cluster)
    replay = Replay(feed, months, params, columns, year)
    replay.must(*JUDGE)
    replay.ship()
    return replay


def _without_load_tests() -> None:
    """Let promotions ask for no load test: nothing here changes how fast a release answers."""
    for name in environments.names():
        path = Path("environments", name, "policy.yaml")
        policy = yaml.safe_load(path.read_text(encoding="utf-8"))
        policy["evidence"] = [e for e in policy["evidence"] if e["kind"] != "load-test"]
        files.write(path, yaml.safe_dump({**policy, "freeze": []}, sort_keys=False))
    git.git("commit", "--quiet", "--all", "--message", "Nothing is load tested in the replay")


def _arrival(feed: Feed, month: str) -> date:
    """Return the day on which a month's labels are all there, two days after its last row."""
    return feed.truth(month)[contract.team_data().TIME].max().date() + timedelta(days=2)


def _adopt(month: str, day: date, message: str) -> None:
    """Commit the line of params.yaml that adopts a month, on the day it arrives."""
    stamp = datetime.combine(day, time(6), UTC).isoformat()
    os.environ |= {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    files.write(PARAMS, triggers.adopt(PARAMS.read_text(encoding="utf-8"), month))
    git.git("commit", "--quiet", "--allow-empty", "--message", message, "--", PARAMS.as_posix())


def live(replay: Replay) -> None:
    """Let month after month be served, labelled, monitored and learned from."""
    frozen = always = _trained(replay, replay.months[:FIRST])
    for number in range(FIRST + 1, len(replay.months)):
        month = replay.months[number]
        timer = Timer()
        rows = replay.feed.truth(month)
        features = rows[list(replay.columns.features)]
        held = environments.production().release
        scores = {
            WORLDS[0]: contract.predict(frozen, features),
            WORLDS[1]: contract.predict(always, features),
            WORLDS[2]: Champion(held).score(rows, Store(replay.params.store)),
        }
        days = rows[replay.columns.time].dt.date.to_numpy()
        replay.year.add(month, rows[replay.columns.target].to_numpy(), days, scores)
        told = {"month": month, "release": held.release_id}
        if month != replay.months[-1]:
            monitored = _monitor(replay, month, held.release_id, scores[WORLDS[2]])
            told |= _decide(replay, month, monitored)
            # The world that always retrains never looks: the bad month stays in its data.
            always = _trained(replay, replay.months[:number])
        replay.story.append(told | {"seconds": timer.seconds})
        print(table.line(told, timer.seconds), flush=True)


def _trained(replay: Replay, months: list[str]) -> Any:
    """Return the model of these months as they first came, trained once for the same rows."""
    mended, replay.feed.mended = replay.feed.mended, False
    try:
        rows = contract.load(months)
        if rows.fingerprint not in replay.models:
            train = replay.params.train
            replay.models[rows.fingerprint] = contract.team_model().train(
                rows.frame[list(replay.columns.features)],
                rows.frame[replay.columns.target].to_numpy(),
                replay.params.model,
                device=train.device,
                threads=train.threads,
                seed=train.seed,
            )
        return replay.models[rows.fingerprint]
    finally:
        replay.feed.mended = mended


def _monitor(replay: Replay, month: str, release_id: str, scores: "ndarray") -> dict[str, Any]:
    """Log a month as the service would have, let its labels arrive, and ask `monitor`."""
    rows = replay.feed.load(month)[0]
    log = PredictionLog(LOG / month, "1", max_file_bytes=2**30)
    for day, group in rows.groupby(rows[replay.columns.time].dt.date, sort=True):
        served = group[list(replay.columns.features)]
        log.append(line(release_id, _scored(month, day, served, scores)))
    log.close()
    labels = BUILD / f"labels-{month}.csv"
    outcome = rows[replay.columns.target].to_numpy()
    lines = (f"{month}-{i},{value}" for i, value in enumerate(outcome))
    files.write(labels, "\n".join(["id,outcome", *lines, ""]))
    place = environments.names()[-1]
    MONITOR.unlink(missing_ok=True)
    replay.steps(*("monitor", "--env", place, "--log", str(LOG / month), "--labels", str(labels)))
    return files.read_json(MONITOR, made_by="monitor") if MONITOR.exists() else {}


def _scored(month: str, day: date, rows: "DataFrame", scores: "ndarray") -> ScoredBatch:
    sent, ids = as_sent(rows), [f"{month}-{number}".encode() for number in rows.index]
    body, noon = json.dumps({"rows": sent}).encode(), datetime.combine(day, time(12), UTC)
    return ScoredBatch(noon, [body], {}, ids, scores[rows.index].tolist())


def _decide(replay: Replay, month: str, monitored: dict[str, Any]) -> dict[str, Any]:
    """Propose what retraining would, let the gate judge it, and ship it or take it back."""
    held, base = environments.production().release, git.head()
    day = _arrival(replay.feed, month)
    reasons = triggers.triggers([month], monitored, held, replay.params.retrain.max_age_days, day)
    _adopt(month, day, f"Retrain with {month}")
    for path in (VERDICT, DATA_CHECK):
        path.unlink(missing_ok=True)
    code = replay.steps(*JUDGE)
    told = {"monitor": monitored.get("reason"), "triggers": [reason.kind for reason in reasons]}
    if code == cli.PASS:
        made = record.read_record()
        _remember(replay, made)
        if triggers.twin(made["model"]["digest"], [held]):
            git.git("reset", "--quiet", "--hard", base)
            return told | {"decision": "identical", "why": "the model is production's own"}
        replay.ship()
        return told | {"decision": "pass", "why": _read(VERDICT)["reason"]}
    git.git("reset", "--quiet", "--hard", base)
    # Refused, somebody looks: what came spoilt is delivered again before the next month.
    replay.feed.mended = replay.feed.mended or month == replay.feed.bad
    why = triggers.refusal(code, _read(VERDICT), _read(DATA_CHECK))
    return told | {"decision": "inconclusive" if code == cli.INCONCLUSIVE else "fail", "why": why}


def _remember(replay: Replay, made: record.Record) -> None:
    """Spare the other world the same training."""
    fingerprint = made["data"]["train"]["fingerprint"]
    model = contract.team_model().load(record.model_folder(made))
    replay.models.setdefault(fingerprint, model)


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def main() -> int:
    """Live the year and write the table, the picture and the figures below build/."""
    timer = Timer()
    try:
        replay = begin()
        print(
            f"A first release of {replay.months[0]} to {replay.months[FIRST - 1]}, judged on "
            f"{replay.months[FIRST]} ({timer.seconds:.0f} s). "
            f"Planted: {replay.feed.bad}, {PLANTED}.\n",
            flush=True,
        )
        live(replay)
    except UserError as error:
        print_error(f"error: {error}")
        return cli.USAGE
    except KeyboardInterrupt:
        return 130
    told = table.tell(replay.year, replay.story, replay.feed.bad)
    print(f"\n{told}\n{timer.seconds:.0f} s. build/replay/ holds the table, the picture, the log.")
    refused = [s["month"] for s in replay.story if s.get("decision") in ("fail", "inconclusive")]
    files.write(BUILD / "replay.md", told)
    files.write(BUILD / "replay.svg", picture.draw(replay.year, refused, replay.feed.bad))
    files.write_json(BUILD / "replay.json", table.plain(replay.year, replay.story))
    return cli.PASS


if __name__ == "__main__":
    sys.exit(main())
