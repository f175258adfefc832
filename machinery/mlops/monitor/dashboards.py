"""The Grafana dashboard and the PrometheusRule, rendered from environments/monitoring/.

People edit alerts.yaml, in Prometheus' own format, and panels.yaml; the rest is generated.
"""

import json
import re
from typing import Any

import yaml

from mlops.errors import UserError
from mlops.paths import ENVIRONMENTS

MONITORING = ENVIRONMENTS / "monitoring"
HEADER = "# Made from alerts.yaml by `make dashboards`; do not edit.\n"
WIDTH, HEIGHT = 12, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}


def rules() -> list[dict[str, Any]]:
    """Return the groups of rules."""
    return _read("alerts.yaml")["groups"]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerts by name."""
    return {rule["alert"]: rule for group in rules() for rule in group["rules"] if "alert" in rule}


def panels() -> list[dict[str, Any]]:
    """Return the panels: a question each, and the queries that answer it."""
    return _read("panels.yaml")


def _read(name: str) -> Any:
    return yaml.safe_load(_text(name))


def _text(name: str) -> str:
    try:
        return (MONITORING / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        file = MONITORING / name
        raise UserError(f"{file} is missing. Put it back: git checkout HEAD -- {file}") from None


def bound(alert: str) -> float | None:
    """Return the first number that an alert's expression compares with, None if there is none."""
    match = re.search(r"> ([\d.]+)", alerts()[alert]["expr"])
    return float(match[1]) if match else None


def prometheus_rule() -> str:
    """Return the rules as an object for the Prometheus operator."""
    text = _text("alerts.yaml")
    groups = text[text.index("groups:\n") :]
    head = (
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"
        "metadata:\n  name: predictor\n  labels: {app.kubernetes.io/part-of: mlops}\nspec:\n"
    )
    # The lines are copied with their comments, so that the reasons are there too.
    return HEADER + head + re.sub(r"(?m)^(?=.)", "  ", groups)


def dashboard() -> str:
    """Return the dashboard as Grafana imports it."""
    content = {
        "title": "The model in production",
        "uid": "mlops-predictor",
        "tags": ["mlops"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_source(), *_choices()]},
        "panels": [],
    }
    # A line for each panel: people read panels.yaml, and a change of one panel is one line here.
    lines = (json.dumps(_panel(number, panel)) for number, panel in enumerate(panels()))
    text = json.dumps(content, indent=1)
    return text.replace('"panels": []', '"panels": [\n  ' + ",\n  ".join(lines) + "\n ]") + "\n"


def _source() -> dict[str, Any]:
    return {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _choices() -> list[dict[str, Any]]:
    """Return the variables that select a model and an environment."""
    return [_choice("model", ""), _choice("environment", '{model="$model"}')]


def _choice(label: str, of: str) -> dict[str, Any]:
    return {
        "name": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values(mlops_release_info{of}, {label})", "refId": label},
        "refresh": 2,
        "sort": 1,
    }


def _panel(number: int, panel: dict[str, Any]) -> dict[str, Any]:
    custom, steps = {}, [{"color": "green", "value": None}]
    most = bound(panel["alert"]) if "alert" in panel else None
    if most is not None:
        custom = {"thresholdsStyle": {"mode": "dashed"}}
        steps.append({"color": "red", "value": most})
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel["question"],
        "description": f"Alert: {panel['alert']}" if "alert" in panel else "",
        "datasource": SOURCE,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": panel["unit"],
                "min": 0,
                "custom": custom,
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for n, (legend, expr) in enumerate(panel["lines"].items())
        ],
    }
