"""The step itself, on a release that was really made, and on what it really answered."""

import json
import shutil

import httpx
import pytest

from machinery.tests.waiting import HANG_SECONDS
from mlops.paths import LIVE, MODELS, MONITOR, MONITOR_PAGE
from mlops.training import contract

FARES = """
import json, sys
import data
rows, _ = data.load("q4")
rows["day"] = rows["at"].dt.strftime("%Y-%m-%d")
rows = rows.astype(object).where(rows.notna(), None).drop(columns="at")
print(json.dumps(rows.to_dict("records")))
"""


class Monitored:
    """The fork with a release in dev, whose log and labels a test writes."""

    def __init__(self, fork, write_log):
        self.fork, self._write = fork, write_log
        self.live = fork.folder / LIVE / "dev"
        release = (fork.folder / "environments/dev/release.yaml").read_text("utf-8")
        self.release_id = release.split("releaseId: ")[1].split()[0]

    def log(self, rows, release_id=None):
        """Log the rows of each day, answered as the model would; return outcomes by id."""
        outcomes = {}
        for day in sorted({row["day"] for row in rows}):
            chosen = [row for row in rows if row["day"] == day]
            features = [{key: row[key] for key in ("km", "zone", "wait")} for row in chosen]
            scores = [
                3 + 2 * r["km"] + 4 * (r["zone"] == "outer") + (r["wait"] or 0) for r in chosen
            ]
            ids = self._write(
                self.live / "predictions", day, features, release_id or self.release_id, scores
            )
            outcomes |= {i: row["fare"] for i, row in zip(ids, chosen)}
        return outcomes

    def label(self, outcomes):
        """Write labels into the default place."""
        (self.live / "labels").mkdir(exist_ok=True)
        lines = [f"{i},{outcome}" for i, outcome in outcomes.items()]
        (self.live / "labels/fares.csv").write_text("\n".join(["id,outcome", *lines, ""]), "utf-8")

    def judge(self, code, *words):
        """Run the step, which must exit with this code; return what it wrote and printed."""
        done = self.fork.mlops("monitor", "--env", "dev", *words, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads((self.fork.folder / MONITOR).read_text("utf-8")), done.stdout


@pytest.fixture(scope="module")
def released(fork):
    """The fork with a release in dev, and the rides of the quarter held out."""
    fork.edit("params.yaml", "loadtest:", "monitor: {min_rows: 200, days: 90}\nloadtest:")
    fork.mlops("check-data", "train", "evaluate", "gate", "package", "promote", "--env", "dev")
    (fork.folder / "fares.py").write_text(FARES, "utf-8")
    fork.python(
        "import runpy, sys; sys.stdout = open('fares.json', 'w'); runpy.run_path('fares.py')"
    )
    return fork


@pytest.fixture
def monitored(released, write_log):
    """A release in dev whose log and labels are empty."""
    made = Monitored(released, write_log)
    for path in made.live.glob("*/*.*"):
        path.unlink()
    return made


@pytest.fixture
def rides(released):
    """The rides of the quarter held out."""
    return json.loads((released.folder / "fares.json").read_text("utf-8"))


def test_nothing_logged_is_inconclusive(monitored):
    """And says what is needed."""
    found, said = monitored.judge(3)
    assert (found["verdict"], found["alarm"], found["trigger"]) == ("inconclusive", False, None)
    assert (found["rows"], found["days"], found["labelled"]) == (0, 0, 0)
    assert "INCONCLUSIVE: W101 rows: 0 rows on 0 days; 200 rows on 14 days are needed" in said


def test_rows_like_those_of_training_pass(monitored, rides):
    """Another quarter, made by the same formula."""
    monitored.log(rides)
    found, said = monitored.judge(0)
    assert (found["verdict"], found["alarm"], found["trigger"]) == ("pass", False, None)
    assert (found["rows"], found["days"], found["labelled"]) == (600, 75, 0)
    assert {finding["rule"] for finding in found["findings"]} == {"W101", "W105", "W106", "W107"}
    assert found["reference"] == {"partitions": ["q1", "q2", "q3"], "rows": 1800, "unchanged": True}
    assert found["release_id"] == monitored.release_id and "PASS: " in said


def test_a_broken_column_is_an_alarm(monitored, rides):
    """Kilometres that became miles."""
    monitored.log([{**ride, "km": ride["km"] / 1.6} for ride in rides])
    found, said = monitored.judge(1)
    assert (found["verdict"], found["alarm"], found["trigger"]) == ("fail", True, "drift")
    assert found["columns"][0]["column"] == "km"
    assert "FAIL: W105 columns: km (PSI " in said


def test_labels_decide_before_drift(monitored, rides):
    """Longer rides, fares as promised: nothing needs retraining."""
    far = [{**ride, "km": ride["km"] + 20, "fare": ride["fare"] + 40} for ride in rides]
    monitored.label(monitored.log(far))
    found, said = monitored.judge(0)
    assert (found["trigger"], found["labelled"]) == (None, 600)
    assert "W104 mae" in said and "The rows have moved" in found["reason"]


def test_worse_than_promised_is_an_alarm(monitored, rides):
    """The rides are as ever, the fares have gone up."""
    monitored.label(monitored.log([{**ride, "fare": ride["fare"] + 5} for ride in rides]))
    found, _ = monitored.judge(1)
    assert (found["alarm"], found["trigger"]) == (True, "performance")
    assert "the gate measured 0." in found["reason"]


def test_what_was_left_out_is_said(monitored, rides):
    """Other releases, broken lines, labels of no row, without outcome or with two."""
    monitored.log(rides[:80], release_id="fares-20200101-0009-0123456789ab")
    outcomes = monitored.log(rides)
    with (monitored.live / "predictions/predictions-1.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"id": "half\n{"id": "written')
    first, second = list(outcomes)[:2]
    extra = f"nobody,1\n{first},nan\n{second},-7\n"
    monitored.label(outcomes)
    with (monitored.live / "labels/fares.csv").open("a", encoding="utf-8") as labels:
        labels.write(extra)
    found, said = monitored.judge(0)
    assert found["log"]["other_releases"] == {"fares-20200101-0009-0123456789ab": 80}
    assert (found["log"]["broken"], found["log"]["unfinished"]) == (1, 1)
    assert found["labelled"] == 599
    for words in (
        "80 rows of other releases left out",
        "1 lines left out that are no rows: predictions-1.jsonl:",
        "1 labels are of no row of this release",
        "1 labels have no usable outcome",
        "1 predictions have different outcomes",
    ):
        assert words in said


def test_only_rows_of_other_releases_are_inconclusive(monitored, rides):
    """As they are just after a deployment."""
    monitored.log(rides, release_id="fares-20200101-0009-0123456789ab")
    found, said = monitored.judge(3)
    assert found["rows"] == 0 and "600 rows of other releases left out" in said


def test_few_labels_leave_the_decision_to_drift(monitored, rides):
    """They are counted."""
    outcomes = monitored.log(rides)
    monitored.label(dict(list(outcomes.items())[:10]))
    found, said = monitored.judge(0)
    assert found["labelled"] == 10 and "Until then drift decides." in said


def test_labels_are_taken_from_a_file_that_is_named(monitored, rides, tmp_path):
    """Rather than from the default place; a mistake in it is told."""
    outcomes = monitored.log(rides)
    (tmp_path / "fares.csv").write_text("id,fare\n", "utf-8")
    done = monitored.fork.mlops(
        "monitor", "--env", "dev", "--labels", str(tmp_path / "fares.csv"), check=False
    )
    assert done.returncode == 2
    assert "lacks the column(s) outcome; it has id, fare" in done.stderr
    assert "Traceback" not in done.stderr and outcomes


def test_a_log_elsewhere_is_read(monitored, rides):
    """As one is that was copied from another machine."""
    monitored.log(rides)
    (monitored.live / "predictions").rename(monitored.live / "copied")
    assert monitored.judge(0, "--log", str(monitored.live / "copied"))[0]["rows"] == 600


def test_a_log_and_labels_behind_addresses_are_read(monitored, rides):
    """As on a runner, which has neither: what fsspec reaches is copied here."""
    outcomes = monitored.log(rides)
    monitored.label(outcomes)
    away = monitored.live.rename(monitored.live.with_name("elsewhere"))
    places = {"MLOPS_LOG": f"file://{away}/predictions", "MLOPS_LABELS": f"file://{away}/labels"}
    monitored.fork.environment.update(places)
    found, _ = monitored.judge(0)
    for name in places:
        del monitored.fork.environment[name]
    away.rename(monitored.live)
    assert (found["rows"], found["labels"]["outcomes"]) == (600, 600)


def test_an_address_that_nobody_answers_at_is_named(monitored):
    """A mistake is a mistake with --no-fail too."""
    words = ("--env", "dev", "--no-fail", "--log", "file:///no/such/place")
    done = monitored.fork.mlops("monitor", *words, check=False)
    assert done.returncode == 2 and "file:///no/such/place cannot be read" in done.stderr


def test_an_alarm_need_not_fail(monitored, rides):
    """For the clock, which reads the verdict; and where nothing is there to judge."""
    monitored.log([{**ride, "km": ride["km"] / 1.6} for ride in rides])
    assert monitored.judge(0, "--no-fail")[0]["alarm"] is True
    done = monitored.fork.mlops("monitor", "--env", "production", "--no-fail")
    assert "there is nothing to judge" in done.stdout


def test_a_bundle_that_is_gone_is_inconclusive(monitored, rides):
    """The scores cannot be compared; the message says why."""
    monitored.log(rides)
    store = (monitored.fork.folder / "build/store").rename(monitored.fork.folder / "build/away")
    shutil.rmtree(monitored.fork.folder / "build/cache")
    found, said = monitored.judge(3)
    shutil.rmtree(monitored.fork.folder / "build/store", ignore_errors=True)
    store.rename(monitored.fork.folder / "build/store")
    assert found["scores"] is None and "W107 scores: The training rows could not be scored" in said


def test_training_rows_that_changed_are_said(monitored, rides):
    """The data at this commit are not those of the release's commit."""
    monitored.log(rides)
    monitored.fork.edit("data/__init__.py", "random.normal(0, 1, 600)", "random.normal(0, 2, 600)")
    found, said = monitored.judge(0)
    monitored.fork.git("revert", "--no-edit", "HEAD")
    assert found["reference"]["unchanged"] is False
    assert "no longer those the release was made from" in said


def test_an_environment_without_a_release_is_a_mistake(monitored):
    """There is nothing to judge."""
    done = monitored.fork.mlops("monitor", "--env", "production", check=False)
    assert done.returncode == 2 and "names no release yet" in done.stderr


@pytest.mark.slow
def test_the_page_shows_the_drift(monitored, rides):
    """Evidently's report; it decides nothing."""
    monitored.log(rides)
    monitored.judge(0, "--page")
    assert "km" in (monitored.fork.folder / MONITOR_PAGE).read_text("utf-8")


def test_a_page_that_cannot_be_drawn_costs_no_verdict(monitored, rides):
    """What was found is written and told before Evidently is asked."""
    monitored.log(rides)
    page = monitored.fork.folder / "machinery/mlops/monitor/page.py"
    kept = page.read_text("utf-8")
    page.write_text("raise ValueError('it cannot be drawn')\n", "utf-8")
    try:
        found, _ = monitored.judge(2, "--page")
    finally:
        page.write_text(kept, "utf-8")
    assert found["verdict"] == "pass"


@pytest.mark.slow
def test_a_service_and_its_own_log(monitored, rides):
    """Real requests to a real service: their rows are found, and they are too few."""
    monitored.fork.mlops("deploy", "--env", "dev")
    asked = [{key: ride[key] for key in ("km", "zone", "wait")} for ride in rides[:20]]
    url = f"http://127.0.0.1:{monitored.fork.port('dev')}/predict"
    answer = httpx.post(url, json={"rows": asked}, timeout=HANG_SECONDS).raise_for_status().json()
    ids = [prediction["id"] for prediction in answer["predictions"]]
    monitored.label({i: ride["fare"] for i, ride in zip(ids, rides)})
    found, _ = monitored.judge(3)
    monitored.fork.mlops("down")
    assert (found["rows"], found["days"], found["labelled"]) == (20, 1, 20)


@pytest.fixture(scope="module")
def summer(example):
    """The example with a model of June and July in dev."""
    example.edit("params.yaml", "first: 2013-04", "first: 2013-06")
    example.edit("params.yaml", "last: 2013-06", "last: 2013-08")
    example.mlops("check-data", "train", "evaluate", "gate", "package", "promote", "--env", "dev")
    return example


@pytest.mark.example
@pytest.mark.slow
@pytest.mark.parametrize("month, code, trigger", [("2013-08", 0, None), ("2013-01", 1, "drift")])
def test_real_months(summer, write_log, month, code, trigger):
    """The month after training is usual; January, after June and July, is not."""
    release = (summer.folder / "environments/dev/release.yaml").read_text("utf-8")
    release_id = release.split("releaseId: ")[1].split()[0]
    frame = contract.load([month]).frame
    (model,) = (summer.folder / MODELS).iterdir()
    frame["score"] = contract.predict(contract.team_model().load(model), frame)
    folder = summer.folder / "build" / f"log-{month}"
    for day, rows in frame.groupby("date"):
        features = rows.drop(columns=["date", "late", "score"]).astype(object)
        features = features.where(features.notna(), None).to_dict("records")
        write_log(folder, day.date().isoformat(), features, release_id, rows["score"])
    done = summer.mlops("monitor", "--env", "dev", "--log", str(folder), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert json.loads((summer.folder / MONITOR).read_text("utf-8"))["trigger"] == trigger
