"""Each alert fires in its bad cases and stays quiet in its good ones, as Prometheus judges."""

import re
from pathlib import Path

import pytest
import yaml

from mlops.monitor import dashboards
from mlops.releases import environments
from mlops.training import contract

CASES = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text("utf-8"))
LABELS = ('model="mini"', 'environment="dev"', 'job="predictor"')
ALL_CASES = [
    (name, kind, title)
    for name in CASES
    for kind in ("fires", "quiet")
    for title in CASES[name][kind]
]


def series(name, values):
    """One series of a case, with the common labels that it does not set itself."""
    assert isinstance(values, str), f"{name}: quote {values}"
    metric, _, labels = name.partition("{")
    own = labels.rstrip("}")
    common = [one for one in LABELS if one.partition('"')[0] not in own]
    return {"series": f"{metric}{{{','.join(filter(None, (*common, own)))}}}", "values": values}


def case(name, kind, title):
    """One test in promtool's format."""
    details = CASES[name][kind][title]
    severity = dashboards.alerts()[name]["labels"]["severity"]
    labels = {"model": "mini", "environment": "dev", "severity": severity}
    labels |= CASES[name].get("labels", {})
    return {
        "name": f"{name} {kind}: {title}",
        "interval": details.get("step", "1m"),
        "input_series": [series(*one) for one in details["series"].items()],
        "alert_rule_test": [
            {
                "eval_time": details["at"],
                "alertname": name,
                "exp_alerts": [{"exp_labels": labels}] if kind == "fires" else [],
            }
        ],
    }


@pytest.fixture
def judge(promtool, tmp_path):
    """A function that lets promtool judge a case, with other expressions for some alerts."""

    def run(test, **expressions):
        groups = dashboards.rules()
        for rule in (rule for group in groups for rule in group["rules"]):
            # Summaries hold values, which these cases do not cover.
            rule.pop("annotations", None)
            rule["expr"] = expressions.get(rule.get("alert"), rule["expr"])
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}), "utf-8")
        head = {"rule_files": ["rules.yaml"], "evaluation_interval": test["interval"]}
        (tmp_path / "tests.yaml").write_text(yaml.safe_dump({**head, "tests": [test]}), "utf-8")
        return promtool("test", "rules", "tests.yaml", cwd=tmp_path)

    return run


def test_every_alert_has_cases_of_both_kinds():
    assert set(CASES) == set(dashboards.alerts())
    assert all(CASES[name]["fires"] and CASES[name]["quiet"] for name in CASES)


@pytest.mark.parametrize("name, kind, title", ALL_CASES, ids=lambda text: text.replace(" ", "-"))
def test_an_alert(judge, name, kind, title):
    done = judge(case(name, kind, title))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "kind, expression", [("fires", "vector(0) > 1"), ("quiet", "vector(1) > 0")]
)
def test_the_cases_detect_a_wrong_alert(judge, name, kind, expression):
    """The wrong alert never fires, or always."""
    title = next(iter(CASES[name][kind]))
    assert judge(case(name, kind, title), **{name: expression}).returncode != 0


def test_prometheus_accepts_the_rules(promtool):
    done = promtool("check", "rules", dashboards.MONITORING / "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_configuration(promtool):
    done = promtool("check", "config", dashboards.MONITORING / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_scrapes_every_environment_on_a_laptop():
    """It adds the labels that a cluster adds."""
    (job,) = yaml.safe_load((dashboards.MONITORING / "prometheus.yaml").read_text())[
        "scrape_configs"
    ]
    labels = {one["targets"][0]: one["labels"] for one in job["static_configs"]}
    assert labels == {
        f"127.0.0.1:{one.settings.port}": {"model": contract.params().name, "environment": one.name}
        for one in map(environments.environment, environments.names())
    }


@pytest.mark.parametrize("name, rule", dashboards.alerts().items())
def test_an_alert_has_severity_summary_and_runbook(name, rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].startswith(
        "{{ $labels.model }} {{ $labels.environment }}: "
    )
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"(?m)^### (\w+)$", Path(page).read_text("utf-8"))
    assert name in headings and anchor == name.lower()
    section = Path(page).read_text("utf-8").partition(f"### {name}\n\n")[2]
    assert section.startswith(f"*{rule['labels']['severity'].capitalize()}.*")


def test_the_alerts_have_the_labels_that_alertmanager_routes_by():
    """The page's configuration for Alertmanager uses only labels and annotations of the alerts."""
    text = (
        Path("machinery/docs/watching.md")
        .read_text("utf-8")
        .partition("```yaml\n")[2]
        .partition("```")[0]
    )
    config = yaml.safe_load(text)
    labels = {*config["route"]["group_by"], *config["inhibit_rules"][0]["equal"]}
    labels |= set(re.findall(r"(\w+)=\"", text)) - {"severity"}
    annotations = set(re.findall(r"\.Annotations\.(\w+)", text))
    for rule in dashboards.alerts().values():
        assert all(re.search(rf"(by|on) \([^)]*\b{one}\b", rule["expr"]) for one in labels)
        assert annotations <= set(rule["annotations"])


def test_every_runbook_has_its_alert():
    headings = re.findall(r"(?m)^### (\w+)$", Path("machinery/docs/watching.md").read_text("utf-8"))
    assert headings == list(dashboards.alerts())


@pytest.mark.parametrize("group", dashboards.rules(), ids=lambda group: group["name"])
def test_every_number_in_a_rule_has_a_reason(group):
    """There is a comment above each alert's expression or its `for`."""
    text = (dashboards.MONITORING / "alerts.yaml").read_text("utf-8")
    for rule in (rule for rule in group["rules"] if "alert" in rule):
        body = text.partition(f"- alert: {rule['alert']}\n")[2].partition("annotations:")[0]
        assert "# " in body, rule["alert"]
