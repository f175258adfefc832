"""machinery/docs/monitor.md lists the rules of the monitor."""

import re
from pathlib import Path

import pytest

from mlops.monitor.verdict import RULES

pytestmark = pytest.mark.fast


def test_the_table_of_rules_is_the_registry():
    """Every rule is listed, with its own sentence."""
    rows = re.findall(
        r"(?m)^\| (W\d{3}) \| (.*) \|$", Path("machinery/docs/monitor.md").read_text("utf-8")
    )
    assert rows == [(rule.id, rule.sentence) for rule in RULES]
