"""The dashboard and the operator's rules are rendered from alerts.yaml and panels.yaml."""

import json
import re

import pytest
import yaml

from mlops.monitor import dashboards
from mlops.targets import kustomize


@pytest.fixture(scope="module")
def dashboard():
    """The committed dashboard."""
    return json.loads((dashboards.MONITORING / "dashboard.json").read_text("utf-8"))


@pytest.mark.fast
@pytest.mark.parametrize("name", ["dashboard.json", "prometheus-rule.yaml"])
def test_the_rendered_files_are_fresh(name):
    render = {
        "dashboard.json": dashboards.dashboard,
        "prometheus-rule.yaml": dashboards.prometheus_rule,
    }
    text = (dashboards.MONITORING / name).read_text("utf-8")
    assert text == render[name](), "run `make dashboards`"


def test_the_operator_gets_the_same_rules():
    objects = kustomize.objects(kustomize.kustomize(dashboards.MONITORING))
    rules = {one["kind"]: one for one in objects}["PrometheusRule"]
    assert rules["spec"]["groups"] == dashboards.rules()


def test_grafana_gets_the_same_dashboard(dashboard):
    """It is in a ConfigMap with the label that Grafana's sidecar looks for."""
    objects = kustomize.objects(kustomize.kustomize(dashboards.MONITORING))
    config = {one["kind"]: one for one in objects}["ConfigMap"]
    assert config["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert json.loads(config["data"]["dashboard.json"]) == dashboard


def test_panels_do_not_overlap(dashboard):
    """None exceeds Grafana's 24 columns, and each has an id of its own."""
    taken = set()
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_query_selects_the_chosen_model_and_environment(dashboard):
    """The choice lists those that answer."""
    source, model, environment = dashboard["templating"]["list"]
    assert (source["type"], model["name"]) == ("datasource", "model")
    query = 'label_values(mlops_release_info{model="$model"}, environment)'
    assert environment["query"]["query"] == query
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            metrics = re.findall(r"\b(?:mlops_|up\b|ALERTS\b)\w*", target["expr"])
            chosen = 'model="$model",environment="$environment"'
            assert target["expr"].count(chosen) == len(metrics)


def test_prometheus_accepts_every_query(dashboard, promtool, tmp_path):
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [
        {"record": "query", "expr": query, "labels": {"n": str(n)}}
        for n, query in enumerate(queries)
    ]
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), "utf-8"
    )
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_panel_draws_the_bound_of_its_alert(dashboard):
    drawn = {
        panel["title"]: panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"]
        for panel in dashboard["panels"]
    }
    assert drawn["How many predictions fail?"] == 0.01
    assert drawn["Which release answers?"] is None
    # Its bound is a line: each release brings its own.
    assert drawn["Is it asked about what it knows?"] is None
