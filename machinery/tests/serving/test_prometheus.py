"""A real Prometheus scrapes the real service, with the rules and queries people are alarmed by."""

import json
import re
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from machinery.tests.waiting import HANG_SECONDS, wait_for
from mlops.monitor import dashboards

pytestmark = pytest.mark.slow

RELEASE_ID = "mini-20260101-0001-0123456789ab"
# What a panel shows of the week before is there after a week.
LATER = "environment:mlops_score_below:7d_before"
METRIC = re.compile(r"\b(?:environment:)?(?:mlops_\w+(?::\w+)?|up\b|ALERTS\b)")


def metrics(expression):
    """The names of the metrics in a query."""
    return set(METRIC.findall(re.sub(r'"[^"]*"|\{[^}]*\}', "", expression)))


def rules():
    """The rules with nothing to wait for: what is tested is that they fire, not how long after."""
    groups = dashboards.rules()
    for group in groups:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
    return {"groups": groups}


def queries():
    """What the dashboard asks, of the model and environment that are served here."""
    for panel in dashboards.panels():
        for expression in panel["lines"].values():
            yield expression.replace("$model", "mini").replace("$environment", "dev")


@dataclass
class Watched:
    """A service, where it logs, and the Prometheus that watches it."""

    service: httpx.Client
    logs: Path
    prometheus: httpx.Client
    end: ExitStack

    def ask(self, row, count=1):
        """Have rows scored."""
        return self.service.post("/predict", json={"rows": [row] * count})

    def query(self, expression):
        """What Prometheus answers now."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def firing(self):
        """The alerts that fire now."""
        found = self.prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
        return {one["labels"]["alertname"]: one for one in found if one["state"] == "firing"}

    def await_scrape(self):
        """Wait until Prometheus has asked the service once more."""
        before = self.scraped()
        wait_for(lambda: self.scraped() != before)

    def scraped(self):
        """When Prometheus asked the service last and was answered."""
        return [one["value"][1] for one in self.query("timestamp(up == 1)")]


@contextmanager
def running(program, folder, target):
    """Prometheus, asking the target every second."""
    static = [{"targets": [target], "labels": {"model": "mini", "environment": "dev"}}]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "predictor", "static_configs": static}],
    }
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules()), "utf-8")
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    files = ("--config.file=prometheus.yaml", "--storage.tsdb.path=data")
    with subprocess.Popen(
        [program, *files, f"--web.listen-address={address}"],
        cwd=folder,
        stdout=(folder / "log").open("w"),
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            yield httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=HANG_SECONDS)
        finally:
            process.send_signal(signal.SIGTERM)


def is_ready(client):
    """Say whether Prometheus answers."""
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def watched(needs, unpacked, serving, tmp_path_factory):
    """The service after some traffic of every kind, seen by Prometheus for some seconds."""
    folder = tmp_path_factory.mktemp("watched")
    for name in ("service", "prometheus"):
        (folder / name).mkdir()
    known = {"MLOPS_RELEASE_ID": RELEASE_ID, "MLOPS_ENVIRONMENT": "dev"}
    logs = folder / "predictions"
    with ExitStack() as service, ExitStack() as stack:
        program = needs("prometheus", "prometheus")
        client = service.enter_context(
            serving(unpacked, folder / "service", **known, MLOPS_PREDICTIONS=str(logs))
        )
        prometheus = stack.enter_context(
            running(program, folder / "prometheus", client.base_url.netloc.decode())
        )
        made = Watched(client, logs, prometheus, service)
        wait_for(lambda: is_ready(prometheus), (folder / "prometheus/log").read_text)
        traffic(made)
        yield made


def traffic(watched):
    """Send what is right, what is wrong and what training had not seen, over some scrapes."""
    # What was counted before the first scrape is no increase.
    wait_for(lambda: watched.query("up == 1"))
    row = {"size": 5, "weight": 1.5, "color": "red", "kind": None, "town": "ABC"}
    for turn in range(10):
        watched.ask({**row, "size": 1 + 9 * turn}, 3)
        watched.ask({**row, "town": "QQQ"})
        watched.ask({**row, "town": "QQX"})
        watched.service.post("/predict", content=b"{")
        watched.service.post("/predict", content=b"a", headers={"content-type": "text/plain"})
        if turn % 3 == 0:
            watched.await_scrape()


def test_every_metric_that_rules_and_panels_name_is_there(watched):
    """In what was scraped, or recorded from it."""
    wanted = set().union(
        *map(metrics, queries()),
        *(metrics(rule["expr"]) for group in dashboards.rules() for rule in group["rules"]),
    )
    assert len(wanted) > 10
    names = watched.prometheus.get("/api/v1/label/__name__/values").json
    wait_for(
        lambda: wanted - set(names()["data"]) <= {LATER},
        lambda: wanted - set(names()["data"]),
    )


def test_every_label_that_rules_select_by_is_there(watched):
    """A selector that selects nothing is never wrong, and never fires."""
    wait_for(lambda: watched.query('mlops_requests_total{path="/predict",status="200"}'))
    wait_for(lambda: watched.query('up{job="predictor"}'))
    wait_for(lambda: watched.query('mlops_unseen_total{field="town"} > 0'))

    def statuses():
        return {one["metric"]["status"] for one in watched.query("mlops_requests_total")}

    wait_for(lambda: {"200", "400", "415", "500"} <= statuses(), statuses)


def test_every_panel_shows_something(watched):
    """Of a service that is asked."""

    def empty():
        return [query for query in queries() if LATER not in query and not watched.query(query)]

    wait_for(lambda: not empty(), empty)


def test_no_rule_fails(watched):
    groups = watched.prometheus.get("/api/v1/rules").json()["data"]["groups"]
    health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert set(dashboards.alerts()) <= set(health) and set(health.values()) == {"ok"}


def test_what_is_wrong_fires_and_what_is_right_does_not(watched):
    """The model fails on some rows and many requests are bad, but one release answers them all."""
    wrong = {"Errors", "BadRequests", "UnseenCategories"}
    wait_for(lambda: wrong <= set(watched.firing()), watched.firing)
    quiet = {
        "ServiceDown",
        "InstanceDown",
        "MixedReleases",
        "UnknownRelease",
        "PredictionsNotLogged",
    }
    # Where the machine is too busy to answer one scrape, they fire until the next.
    wait_for(lambda: not quiet & set(watched.firing()), watched.firing)


def test_a_log_that_cannot_be_written_fires(watched, row):
    """A file stands where its folder was; the answers go on."""
    shutil.rmtree(watched.logs)
    watched.logs.write_text("")

    def fires():
        assert watched.ask(row).status_code == 200
        return "PredictionsNotLogged" in watched.firing()

    wait_for(fires, watched.firing)


def test_a_service_that_ends_fires(watched):
    """And whoever is woken reads which, and what ran there."""
    watched.end.close()
    wait_for(lambda: "ServiceDown" in watched.firing(), watched.firing)
    told = watched.firing()["ServiceDown"]["annotations"]
    assert told["summary"] == "mini dev: nothing answers", json.dumps(watched.firing())
    assert told["releases"] == RELEASE_ID
