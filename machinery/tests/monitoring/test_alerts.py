"""Each alert fires when it should and not when it should not, as Prometheus itself judges."""

import re
from pathlib import Path

import pytest
import yaml

from mlops.monitor import dashboards
from mlops.releases import environments
from mlops.training import contract

CASES = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text("utf-8"))
LABELS = ('model="mini"', 'environment="dev"', 'job="predictor"')
EVERY = [
    (name, kind, told)
    for name in CASES
    for kind in ("fires", "quiet")
    for told in CASES[name][kind]
]


def series(name, values):
    """One series of a case, with the labels that all have in common unless it says otherwise."""
    assert isinstance(values, str), f"{name}: quote {values}"
    metric, _, labels = name.partition("{")
    own = labels.rstrip("}")
    common = [one for one in LABELS if one.partition('"')[0] not in own]
    return {"series": f"{metric}{{{','.join(filter(None, (*common, own)))}}}", "values": values}


def case(name, kind, told):
    """One test as promtool reads it."""
    found = CASES[name][kind][told]
    severity = dashboards.alerts()[name]["labels"]["severity"]
    labels = {"model": "mini", "environment": "dev", "severity": severity}
    labels |= CASES[name].get("labels", {})
    return {
        "name": f"{name} {kind}: {told}",
        "interval": found.get("step", "1m"),
        "input_series": [series(*one) for one in found["series"].items()],
        "alert_rule_test": [
            {
                "eval_time": found["at"],
                "alertname": name,
                "exp_alerts": [{"exp_labels": labels}] if kind == "fires" else [],
            }
        ],
    }


@pytest.fixture
def judge(promtool, tmp_path):
    """Has promtool judge a case, after an alert was given another expression."""

    def run(test, **expressions):
        groups = dashboards.rules()
        for rule in (rule for group in groups for rule in group["rules"]):
            # Summaries hold values, which are not the subject here.
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


@pytest.mark.parametrize("name, kind, told", EVERY, ids=lambda word: word.replace(" ", "-"))
def test_an_alert(judge, name, kind, told):
    done = judge(case(name, kind, told))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "kind, expression", [("fires", "vector(0) > 1"), ("quiet", "vector(1) > 0")]
)
def test_the_cases_notice_an_alert_that_is_wrong(judge, name, kind, expression):
    """One that never fires, one that always does."""
    told = next(iter(CASES[name][kind]))
    assert judge(case(name, kind, told), **{name: expression}).returncode != 0


def test_the_rules_are_what_prometheus_reads(promtool):
    done = promtool("check", "rules", dashboards.MONITORING / "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_what_prometheus_reads(promtool):
    done = promtool("check", "config", dashboards.MONITORING / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_asks_every_environment_where_it_is_on_a_laptop():
    """And labels it as a cluster does."""
    (job,) = yaml.safe_load((dashboards.MONITORING / "prometheus.yaml").read_text())[
        "scrape_configs"
    ]
    told = {one["targets"][0]: one["labels"] for one in job["static_configs"]}
    assert told == {
        f"127.0.0.1:{one.settings.port}": {"model": contract.params().name, "environment": one.name}
        for one in map(environments.environment, environments.names())
    }


@pytest.mark.parametrize("name, rule", dashboards.alerts().items())
def test_an_alert_says_how_urgent_it_is_what_it_is_and_where_to_read(name, rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].startswith(
        "{{ $labels.model }} {{ $labels.environment }}: "
    )
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"(?m)^### (\w+)$", Path(page).read_text("utf-8"))
    assert name in headings and anchor == name.lower()
    told = Path(page).read_text("utf-8").partition(f"### {name}\n\n")[2]
    assert told.startswith(f"*{rule['labels']['severity'].capitalize()}.*")


def test_who_is_called_is_decided_by_what_alerts_have():
    """The page's configuration for Alertmanager names no label and no annotation they lack."""
    text = (
        Path("machinery/docs/watching.md")
        .read_text("utf-8")
        .partition("```yaml\n")[2]
        .partition("```")[0]
    )
    told = yaml.safe_load(text)
    wanted = {*told["route"]["group_by"], *told["inhibit_rules"][0]["equal"]}
    wanted |= set(re.findall(r"(\w+)=\"", text)) - {"severity"}
    annotations = set(re.findall(r"\.Annotations\.(\w+)", text))
    for rule in dashboards.alerts().values():
        assert all(re.search(rf"(by|on) \([^)]*\b{one}\b", rule["expr"]) for one in wanted)
        assert annotations <= set(rule["annotations"])


def test_every_runbook_has_its_alert():
    headings = re.findall(r"(?m)^### (\w+)$", Path("machinery/docs/watching.md").read_text("utf-8"))
    assert headings == list(dashboards.alerts())


@pytest.mark.parametrize("group", dashboards.rules(), ids=lambda group: group["name"])
def test_every_number_in_a_rule_has_a_reason(group):
    """A comment above each alert's expression or its `for`."""
    text = (dashboards.MONITORING / "alerts.yaml").read_text("utf-8")
    for rule in (rule for rule in group["rules"] if "alert" in rule):
        body = text.partition(f"- alert: {rule['alert']}\n")[2].partition("annotations:")[0]
        assert "# " in body, rule["alert"]
