"""Write the Grafana dashboard and the Prometheus operator's rules (environments/monitoring/)."""

import argparse

from mlops.files import write
from mlops.monitor.dashboards import MONITORING, dashboard, prometheus_rule


def run(_: argparse.Namespace) -> None:
    """Render both from alerts.yaml and panels.yaml."""
    write(MONITORING / "prometheus-rule.yaml", prometheus_rule())
    write(MONITORING / "dashboard.json", dashboard())
