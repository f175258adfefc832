"""A real Prometheus scrapes the real service and evaluates the alert rules and the queries."""

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
# A panel that shows the week before is empty in the first week.
LATER = "environment:mlops_score_below:7d_before"
# Of models with classes; machinery/tests/test_several_life.py has one.
CLASSES = "mlops_class_"
METRIC = re.compile(r"\b(?:environment:)?(?:mlops_\w+(?::\w+)?|up\b|ALERTS\b)")


def metrics(expression):
    """The names of the metrics in a query."""
    return set(METRIC.findall(re.sub(r'"[^"]*"|\{[^}]*\}', "", expression)))


def rules():
    """The rules without their delays, which these tests do not cover."""
    groups = dashboards.rules()
    for group in groups:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
    return {"groups": groups}


def queries():
    """The dashboard's queries for the model and environment of this service."""
    for panel in dashboards.panels():
        for expression in panel["lines"].values():
            yield expression.replace("$model", "mini").replace("$environment", "dev")


@dataclass
class Watched:
    """A service, the folder of its log, and the Prometheus that scrapes it."""

    service: httpx.Client
    logs: Path
    prometheus: httpx.Client
    end: ExitStack

    def ask(self, row, count=1):
        """Send a request for scores."""
        return self.service.post("/predict", json={"rows": [row] * count})

    def query(self, expression):
        """Return Prometheus' current answer."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def firing(self):
        """The alerts that fire now."""
        alerts = self.prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
        return {one["labels"]["alertname"]: one for one in alerts if one["state"] == "firing"}

    def await_scrape(self):
        """Wait until Prometheus has scraped the service once more."""
        before = self.scraped()
        wait_for(lambda: self.scraped() != before)

    def scraped(self):
        """The time of the last scrape; of `up == 1` it would be that of the query."""
        return [one["value"][1] for one in self.query("timestamp(up)")]


@contextmanager
def running(program, folder, target):
    """Run Prometheus, which scrapes the target every second."""
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
    """Return whether Prometheus answers."""
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def watched(needs, unpacked, serving, tmp_path_factory):
    """The service after some traffic of every kind, scraped for some seconds."""
    folder = tmp_path_factory.mktemp("watched")
    for name in ("service", "prometheus"):
        (folder / name).mkdir()
    release = {"MLOPS_RELEASE_ID": RELEASE_ID, "MLOPS_ENVIRONMENT": "dev"}
    logs = folder / "predictions"
    with ExitStack() as service, ExitStack() as stack:
        program = needs("prometheus", "prometheus")
        client = service.enter_context(
            serving(unpacked, folder / "service", **release, MLOPS_PREDICTIONS=str(logs))
        )
        prometheus = stack.enter_context(
            running(program, folder / "prometheus", client.base_url.netloc.decode())
        )
        scraped = Watched(client, logs, prometheus, service)
        wait_for(lambda: is_ready(prometheus), (folder / "prometheus/log").read_text)
        traffic(scraped)
        yield scraped


def traffic(watched):
    """Send valid, invalid and unseen values over several scrapes."""
    # Prometheus sees no increase of a count from before its first scrape.
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


def test_every_metric_of_rules_and_panels_exists(watched):
    """Each metric is scraped or recorded."""
    named = set().union(
        *map(metrics, queries()),
        *(metrics(rule["expr"]) for group in dashboards.rules() for rule in group["rules"]),
    )
    assert len(named) > 10

    def missing():
        values = watched.prometheus.get("/api/v1/label/__name__/values").json()
        return {name for name in named - set(values["data"]) if CLASSES not in name}

    wait_for(lambda: missing() <= {LATER}, missing)


def test_every_label_that_rules_select_by_exists(watched):
    """A selector that matches nothing raises no error and never fires."""
    wait_for(lambda: watched.query('mlops_requests_total{path="/predict",status="200"}'))
    wait_for(lambda: watched.query('up{job="predictor"}'))
    wait_for(lambda: watched.query('mlops_unseen_total{field="town"} > 0'))

    def statuses():
        return {one["metric"]["status"] for one in watched.query("mlops_requests_total")}

    wait_for(lambda: {"200", "400", "415", "500"} <= statuses(), statuses)


def test_every_panel_shows_something(watched):
    """With traffic, no panel is empty."""

    def empty():
        absent = (LATER, CLASSES)
        shown = [query for query in queries() if not any(name in query for name in absent)]
        return [query for query in shown if not watched.query(query)]

    wait_for(lambda: not empty(), empty)


def test_no_rule_fails(watched):
    groups = watched.prometheus.get("/api/v1/rules").json()["data"]["groups"]
    health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert set(dashboards.alerts()) <= set(health) and set(health.values()) == {"ok"}


def test_only_the_alerts_of_this_traffic_fire(watched):
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
    """A file replaces its folder; the answers go on."""
    shutil.rmtree(watched.logs)
    watched.logs.write_text("")

    def fires():
        assert watched.ask(row).status_code == 200
        return "PredictionsNotLogged" in watched.firing()

    wait_for(fires, watched.firing)


def test_a_service_that_ends_fires(watched):
    """The alert names the service and the release that ran."""
    watched.end.close()
    wait_for(lambda: "ServiceDown" in watched.firing(), watched.firing)
    annotations = watched.firing()["ServiceDown"]["annotations"]
    assert annotations["summary"] == "mini dev: nothing answers", json.dumps(watched.firing())
    assert annotations["releases"] == RELEASE_ID
