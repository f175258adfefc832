"""What an earlier version wrote is read by this one: fixtures of each version, as it wrote them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from machinery.tests.forks import IDENTITY
from machinery.tests.upgrading.formats import FIXTURES, RELEASES, WRITTEN_BY_PEOPLE, place
from mlops.config.documents import parse
from mlops.config.params import AnyModel, GateParams, load_params
from mlops.gate import judge
from mlops.gate.waivers import parse_waivers
from mlops.releases.environment_history import release_history
from mlops.releases.evidence import collected
from mlops.releases.policy import Policy, Settings
from mlops.releases.quarantine import parse_entries
from mlops.releases.rules.integrity import parse_sealed
from mlops.report import markdown
from mlops.report.content import content
from mlops.report.subject import Judged
from mlops.rules import worst
from mlops.training import record

VERSIONS = sorted(path.name for path in FIXTURES.iterdir())
CHANGELOG = Path("machinery/CHANGELOG.md").absolute()


def released(changelog):
    """The versions that a changelog dates: the others are not released yet."""
    return re.findall(r"(?m)^## (\d+\.\d+\.\d+) \(", changelog)


def lacking(changelog, folders):
    """The released versions without a fixture."""
    return [version for version in released(changelog) if version not in folders]


@pytest.fixture(params=VERSIONS)
def written(request):
    """The folder of a version's fixtures."""
    return FIXTURES / request.param


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty git repository that is the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    subprocess.run(["git", "init", "--quiet"], check=True)
    return tmp_path


def commit(*names):
    """Commit these files and return the commit."""
    subprocess.run(["git", "add", "--", *names], check=True)
    subprocess.run(["git", "commit", "--quiet", "--message", "change"], check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_each_released_version_has_fixtures():
    """Write them before `make release`: machinery/tests/upgrading/formats.py VERSION."""
    assert lacking(CHANGELOG.read_text("utf-8"), VERSIONS) == []


def test_a_release_without_fixtures_is_noticed():
    log = "# Changelog\n\n## Unreleased\n\n## 9.1.0 (2026-12-01)\n\n## 1.0.0 (2026-11-30)\n"
    assert lacking(log, ["1.0.0"]) == ["9.1.0"]
    assert lacking(log.replace("9.1.0", "1.0.0"), ["1.0.0"]) == []


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_keeps_its_seal_and_its_bytes(written, name):
    path = written / f"release-{name}.yaml"
    text = path.read_text("utf-8")
    assert parse_sealed(text, path).text == text


def test_a_ledger_is_read_from_its_commits(written, here):
    """No release, one, another, back to the first: each commit of the file is one of the past."""
    file = here / "environments/dev/release.yaml"
    file.parent.mkdir(parents=True)
    for name in ("none", *RELEASES):
        shutil.copy(written / f"release-{name}.yaml", file)
        commit("environments")
    past = release_history("dev")
    ids = [one.release_id for one in past]
    assert len(past) == 4 and ids[3] is None
    assert ids[0] == ids[2] != ids[1]
    assert past[0].release.spec.rollback.reason == "it was too slow"


def test_evidence_is_read(written, here):
    """That of the gate is in the release, that of a load test in a file of its own."""
    shutil.copy(written / "release-none.yaml", here / "any.yaml")
    values = json.loads((written / "load-test.json").read_text("utf-8"))
    # Evidence is believed only at a commit that is part of the history.
    values["commit"] = commit("any.yaml")
    path = here / "build/evidence" / values["releaseId"] / "load-test.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(values), "utf-8")
    (evidence,) = collected(values["releaseId"])
    assert evidence.verdict == "pass" and evidence.figures["requests"] > 0
    first = parse_sealed((written / "release-first.yaml").read_text("utf-8"), written)
    assert [one.kind for one in first.spec.evidence] == ["gate"]


def test_quarantine_is_read(written):
    entries = parse_entries((written / "quarantine.yaml").read_text("utf-8"))
    assert [entry.reason for entry in entries] == ["dev: it was too slow"]


def test_a_record_and_a_verdict_are_reported(written, here):
    """The report of a run of that version can be rendered anew."""
    (here / "build").mkdir()
    for name in ("record", "verdict", "data-check"):
        shutil.copy(written / f"{name}.json", here / f"build/{name}.json")
    made, check = record.read_evaluated()
    verdict = json.loads((here / "build/verdict.json").read_text("utf-8"))
    assert record.record_digest(made) == verdict["record"]
    rules = GateParams(bounds={"mae": 1.5}, margins={"mae": 0.05})
    findings = judge(made, check, rules)
    assert worst(findings) == verdict["verdict"] == "pass"
    assert "mae" in markdown.render(content(Judged(made, findings, rules)))


@pytest.mark.parametrize(
    ("name", "kind"), [("policy.yaml", Policy), ("settings.yaml", Settings)], ids=str
)
def test_what_people_wrote_of_an_environment_is_read(written, here, name, kind):
    """With its keys renamed, as an upgrade renames them."""
    place(written.name, here)
    path = WRITTEN_BY_PEOPLE[name]
    assert parse((here / path).read_text("utf-8"), path, kind)


def test_parameters_are_read(written, here):
    place(written.name, here)
    assert load_params(AnyModel).gate.bounds


def test_waivers_are_read(written, here):
    place(written.name, here)
    (waiver,) = parse_waivers((here / "environments/waivers.yaml").read_text("utf-8"))
    assert waiver.rule == "D103"
