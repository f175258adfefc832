"""The year in the temporary clone: serve a month, add labels, monitor, retrain, judge, release.

The steps are the real ones and run in this process, so that libraries are imported once. Rows are
scored by the code in production's bundle, not over HTTP: 200,000 requests would take too long.
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
from mlops.statistics.latency import as_records
from mlops.training import calls, contract, partitions, record

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame

# The first release is trained on two partitions and judged on the third.
FIRST = 2
# Fewer leave no month before the bad one, or none after it.
LEAST = 6
LOG = BUILD / "predictions"
JUDGE = ("check-data", "train", "evaluate", "gate")


@dataclass
class Replay:  # pylint: disable=too-many-instance-attributes # the three worlds' state
    """The state of the three worlds during the year."""

    feed: Feed
    months: list[str]
    params: Any
    columns: contract.Columns
    year: Year
    models: dict[str, Any] = field(default_factory=dict)
    story: list[dict[str, Any]] = field(default_factory=list)
    printed: io.StringIO = field(default_factory=io.StringIO)

    def steps(self, *arguments: str) -> int:
        """Run real steps, write their output to build/steps.log, and return the exit code.

        Raises UserError if they end without a verdict, KeyboardInterrupt if the user stops them.
        """
        self.printed.write(f"\n$ python -m mlops {' '.join(arguments)}\n")
        with contextlib.redirect_stdout(self.printed), contextlib.redirect_stderr(self.printed):
            code = cli.main(list(arguments))
        files.write(BUILD / "steps.log", self.printed.getvalue())
        if code == 130:
            raise KeyboardInterrupt
        if code == cli.USAGE:
            raise UserError(f"`{' '.join(arguments)}` failed: {self.printed.getvalue()[-2000:]}")
        return code

    def must(self, *arguments: str) -> None:
        """Run steps that must succeed; raises UserError with the end of their output."""
        if self.steps(*arguments):
            raise UserError(f"`{' '.join(arguments)}` failed: {self.printed.getvalue()[-2000:]}")

    def release(self) -> None:
        """Package the candidate that passed the gate and promote it through every environment."""
        self.must("package")
        for name in environments.names():
            self.must("promote", "--env", name)


def begin() -> Replay:
    """Plant the bad partition, and release a first model of the first months."""
    months = list(contract.team_data().partitions())
    if len(months) < LEAST:
        raise UserError(
            f"A replay needs at least {LEAST} partitions, data/ has {len(months)}: "
            f"{', '.join(months) or 'none'}. Add partitions."
        )
    _without_load_tests()
    # Two thirds into the year: models are good by then, and months remain to show the effect.
    feed = Feed(bad=months[len(months) * 2 // 3 - 1])
    _adopt(months[FIRST], _arrival(feed, months[FIRST]), f"Begin with {months[FIRST]}")
    params = contract.params()
    measured = calls.metrics()
    year = Year([m for m in measured if m.name in params.gate.margins], params.evaluate)
    columns = contract.columns(params.gate.cluster)
    replay = Replay(feed, months, params, columns, year)
    replay.must(*JUDGE)
    replay.release()
    return replay


def _without_load_tests() -> None:
    """Remove load tests from the policies: no change here affects the speed of a release."""
    for name in environments.names():
        path = Path("environments", name, "policy.yaml")
        policy = yaml.safe_load(path.read_text(encoding="utf-8"))
        policy["evidence"] = [e for e in policy["evidence"] if e["kind"] != "load-test"]
        files.write(path, yaml.safe_dump({**policy, "freeze": []}, sort_keys=False))
    git.git("commit", "--quiet", "--all", "--message", "Require no load test in the replay")


def _arrival(feed: Feed, month: str) -> date:
    """Return the day on which a month's labels are complete, two days after its last row."""
    return feed.truth(month)[contract.team_data().TIME].max().date() + timedelta(days=2)


def _adopt(month: str, day: date, message: str) -> None:
    """Commit the line of params.yaml that adopts a month, on the day it arrives."""
    stamp = datetime.combine(day, time(6), UTC).isoformat()
    os.environ |= {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    files.write(PARAMS, triggers.adopt(PARAMS.read_text(encoding="utf-8"), month))
    git.git("commit", "--quiet", "--allow-empty", "--message", message, "--", PARAMS.as_posix())


def simulate(replay: Replay) -> None:
    """Serve, label, monitor and learn from month after month."""
    frozen = always = _trained(replay, replay.months[:FIRST])
    for number in range(FIRST + 1, len(replay.months)):
        month = replay.months[number]
        timer = Timer()
        rows = replay.feed.truth(month)
        features = rows[list(replay.columns.features)]
        release = environments.production().release
        scores = {
            WORLDS[0]: calls.predict(frozen, features),
            WORLDS[1]: calls.predict(always, features),
            WORLDS[2]: Champion(release).score(rows, Store(replay.params.store)),
        }
        days = rows[replay.columns.time].dt.date.to_numpy()
        replay.year.add(month, partitions.target(rows, replay.columns), days, scores)
        entry = {"month": month, "release": release.release_id}
        if month != replay.months[-1]:
            monitored = _monitor(replay, month, release.release_id, scores[WORLDS[2]])
            entry |= _decide(replay, month, monitored)
            # Without a gate nobody notices the bad month, so it stays in this world's data.
            always = _trained(replay, replay.months[:number])
        replay.story.append(entry | {"seconds": timer.seconds})
        print(table.line(entry, timer.seconds), flush=True)


def _trained(replay: Replay, months: list[str]) -> Any:
    """Return the model of these months as they arrived, trained once for the same rows."""
    corrected, replay.feed.corrected = replay.feed.corrected, False
    try:
        rows = partitions.load(months)
        if rows.fingerprint not in replay.models:
            replay.models[rows.fingerprint] = calls.train(
                rows.frame, replay.columns, replay.params, replay.params.train.device
            )
        return replay.models[rows.fingerprint]
    finally:
        replay.feed.corrected = corrected


def _monitor(replay: Replay, month: str, release_id: str, scores: "ndarray") -> dict[str, Any]:
    """Log a month as the service does, write its labels, and run `monitor`."""
    rows = replay.feed.load(month)[0]
    log = PredictionLog(LOG / month, "1", max_file_bytes=2**30)
    for day, group in rows.groupby(rows[replay.columns.time].dt.date, sort=True):
        served = group[list(replay.columns.features)]
        log.append(line(release_id, _scored(month, day, served, scores)))
    log.close()
    labels = BUILD / f"labels-{month}.csv"
    outcome = partitions.target(rows, replay.columns)
    lines = (f"{month}-{i},{value}" for i, value in enumerate(outcome))
    files.write(labels, "\n".join(["id,outcome", *lines, ""]))
    environment = environments.names()[-1]
    MONITOR.unlink(missing_ok=True)
    replay.steps(
        *("monitor", "--env", environment, "--log", str(LOG / month), "--labels", str(labels))
    )
    return files.read_json(MONITOR, made_by="monitor") if MONITOR.exists() else {}


def _scored(month: str, day: date, rows: "DataFrame", scores: "ndarray") -> ScoredBatch:
    records, ids = as_records(rows), [f"{month}-{number}".encode() for number in rows.index]
    body, noon = json.dumps({"rows": records}).encode(), datetime.combine(day, time(12), UTC)
    return ScoredBatch(noon, [body], {}, ids, scores[rows.index].tolist())


def _decide(replay: Replay, month: str, monitored: dict[str, Any]) -> dict[str, Any]:
    """Propose a retraining, judge it by the gate, and release it or take it back."""
    release, base = environments.production().release, git.head()
    day = _arrival(replay.feed, month)
    reasons = triggers.triggers(
        [month], monitored, release, replay.params.retrain.max_age_days, day
    )
    _adopt(month, day, f"Retrain with {month}")
    for path in (VERDICT, DATA_CHECK):
        path.unlink(missing_ok=True)
    code = replay.steps(*JUDGE)
    entry = {"monitor": monitored.get("reason"), "triggers": [reason.kind for reason in reasons]}
    if code == cli.PASS:
        trained = record.read_record()
        _cache(replay, trained)
        if triggers.same_model(trained["model"]["digest"], [release]):
            git.git("reset", "--quiet", "--hard", base)
            return entry | {"decision": "identical", "why": "the model is production's own"}
        replay.release()
        return entry | {"decision": "pass", "why": _read(VERDICT)["reason"]}
    git.git("reset", "--quiet", "--hard", base)
    # A refusal makes the team look: the bad month is corrected before the next one.
    replay.feed.corrected = replay.feed.corrected or month == replay.feed.bad
    why = triggers.refusal(code, _read(VERDICT), _read(DATA_CHECK))
    return entry | {"decision": "inconclusive" if code == cli.INCONCLUSIVE else "fail", "why": why}


def _cache(replay: Replay, trained: record.Record) -> None:
    """Keep a trained model, so that another world need not train it again."""
    fingerprint = trained["data"]["train"]["fingerprint"]
    model = contract.team_model().load(record.model_folder(trained))
    replay.models.setdefault(fingerprint, model)


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def main() -> int:
    """Run the year and write the table, the picture and the figures below build/."""
    timer = Timer()
    try:
        replay = begin()
        print(
            f"A first release of {replay.months[0]} to {replay.months[FIRST - 1]}, judged on "
            f"{replay.months[FIRST]} ({timer.seconds:.0f} s). "
            f"Planted: {replay.feed.bad}, {PLANTED}.\n",
            flush=True,
        )
        simulate(replay)
    except UserError as error:
        print_error(f"error: {error}")
        return cli.USAGE
    except KeyboardInterrupt:
        return 130
    tables = table.render(replay.year, replay.story, replay.feed.bad)
    print(
        f"\n{tables}\n{timer.seconds:.0f} s. build/replay/ holds the table, the picture, the log."
    )
    refused = [s["month"] for s in replay.story if s.get("decision") in ("fail", "inconclusive")]
    files.write(BUILD / "replay.md", tables)
    files.write(BUILD / "replay.svg", picture.draw(replay.year, refused, replay.feed.bad))
    files.write_json(BUILD / "replay.json", table.plain(replay.year, replay.story))
    return cli.PASS


if __name__ == "__main__":
    sys.exit(main())
