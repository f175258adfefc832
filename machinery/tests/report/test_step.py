"""The step writes both forms, exits 0 whatever the verdict, and names a missing input."""

import argparse
from types import SimpleNamespace

import pytest

from machinery.tests.forks import begin_repository
from mlops.config.params import GateParams
from mlops.errors import UserError
from mlops.files import write_json
from mlops.paths import RECORD, REPORT, REPORT_PAGE
from mlops.steps import report
from mlops.training import contract


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty repository to work in, with parameters."""
    begin_repository(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(contract, "params", lambda: SimpleNamespace(gate=GateParams()))


def test_writes_both_forms(record, capsys):
    """Unchecked data fail, and the report is written with exit code 0."""
    write_json(RECORD, record)
    assert not report.run(argparse.Namespace())
    assert REPORT.read_text("utf-8").startswith("## ✗ Fail\n\nThe data were not checked.")
    assert REPORT_PAGE.read_text("utf-8").startswith("<!doctype html>")
    printed = capsys.readouterr().out
    assert "fail: see build/report.md and build/report.html" in printed
    assert "log loss  0.5000" in printed and "1 partition added" in printed


def test_requires_an_evaluation(record):
    """A model without an evaluation has no report."""
    del record["evaluation"]
    write_json(RECORD, record)
    with pytest.raises(UserError, match="make evaluate"):
        report.run(argparse.Namespace())
