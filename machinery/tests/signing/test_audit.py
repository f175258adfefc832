"""`make audit` against a stand-in of osv.dev: a known vulnerability fails unless it is accepted."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlops.errors import UserError
from mlops.rules import Verdict
from mlops.signing.audit import Advisory, judge, parse_accepted

HASH = f"    --hash=sha256:{'0' * 64}\n"
# An answer of osv.dev, shortened: https://google.github.io/osv.dev/post-v1-query/
SANDBOX = {
    "schema_version": "1.7.3",
    "id": "GHSA-462w-v97r-4m45",
    "aliases": ["CVE-2019-10906", "PYSEC-2019-217"],
    "summary": "Jinja2 sandbox escape via string formatting",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "jinja2"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.10.1"}]}],
        }
    ],
}
TEXT = """- id: CVE-2019-10906
  package: jinja2
  reason: No template comes from outside.
  by: Kim
  until: 2026-01-31
"""
DAY = date(2026, 1, 31)


def answer(query):
    """The vulnerabilities of one version of one package."""
    package = (query["package"]["ecosystem"], query["package"]["name"], query["version"])
    return {"vulns": [SANDBOX]} if package == ("PyPI", "jinja2", "2.10") else {}


@contextmanager
def osv(status=200):
    """A stand-in of osv.dev on loopback; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        """Answers queries."""

        def do_POST(self):  # pylint: disable=invalid-name  # http.server's name
            """Answer one query."""
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(answer(query)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def audit(folder, url, locked, accepted=""):
    """Run the audit in a folder with this lock and these acceptances."""
    (folder / "environments").mkdir()
    (folder / "environments/advisories.yaml").write_text(accepted, "utf-8")
    lock = "".join(f"{pin} \\\n{HASH}" for pin in locked)
    for name in ("requirements.txt", "requirements-serve.txt"):
        (folder / name).write_text(lock, "utf-8")
    variables = {"PIP_AUDIT_OSV_URL": url, "PYTHONPATH": str(Path("machinery").absolute())}
    return subprocess.run(
        [sys.executable, "-m", "mlops", "audit"],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_known_vulnerability_is_refused(tmp_path):
    """The output names the version that fixes it."""
    with osv() as url:
        done = audit(tmp_path, url, ["jinja2==2.10", "markupsafe==2.0"])
    assert done.returncode == 1, done.stderr
    assert "GHSA-462w-v97r-4m45" in done.stdout and "fixed in 2.10.1" in done.stdout
    assert "FAIL: 1 known vulnerabilities in 2 packages" in done.stdout


def test_a_package_without_advisories_passes(tmp_path):
    """The version with the fix passes."""
    with osv() as url:
        done = audit(tmp_path, url, ["jinja2==2.10.1"])
    assert (done.returncode, "PASS: 0 known" in done.stdout) == (0, True), done.stderr


def test_an_accepted_one_passes_and_stays_visible(tmp_path):
    """It is accepted by any of its ids; the output names who accepted it and why."""
    accepted = TEXT.replace("2026-01-31", "2999-01-31")
    with osv() as url:
        done = audit(tmp_path, url, ["jinja2==2.10"], accepted)
    assert done.returncode == 0, done.stdout
    assert "accepted until 2999-01-31 by Kim: No template comes from outside." in done.stdout


def test_an_acceptance_that_is_over_is_refused(tmp_path):
    """The audit fails again on the day after."""
    with osv() as url:
        done = audit(tmp_path, url, ["jinja2==2.10"], TEXT)
    assert done.returncode == 1 and "was accepted until 2026-01-31" in done.stdout


@pytest.mark.parametrize("status", [404, 500])
def test_a_service_that_does_not_answer_is_no_pass(tmp_path, status):
    """The audit exits with 2 and a message without traceback."""
    with osv(status) as url:
        done = audit(tmp_path, url, ["jinja2==2.10"])
    assert done.returncode == 2 and "Nothing was audited" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_out_of_reach_is_no_pass(tmp_path):
    """This is a machine without network."""
    done = audit(tmp_path, "http://127.0.0.1:9/v1/query", ["jinja2==2.10"])
    assert done.returncode == 2 and "PIP_AUDIT_OSV_URL" in done.stderr


ADVISORY = Advisory("jinja2", "2.10", ("GHSA-462w-v97r-4m45", "CVE-2019-10906"), ("2.10.1",))


def judged(text=TEXT, advisories=(ADVISORY,), skip_reasons=(), day=DAY):
    """The verdicts on advisories and skipped packages."""
    return [verdict for verdict, _ in judge(advisories, skip_reasons, parse_accepted(text), day)]


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({}, [Verdict.PASS]),
        ({"text": ""}, [Verdict.FAIL]),
        ({"day": date(2026, 2, 1)}, [Verdict.FAIL]),
        ({"day": date(2026, 2, 1), "advisories": ()}, [Verdict.FAIL]),
        ({"text": TEXT.replace("package: jinja2", "package: flask")}, [Verdict.FAIL, Verdict.PASS]),
        ({"text": TEXT.replace("10906", "99999")}, [Verdict.FAIL, Verdict.PASS]),
        ({"advisories": ()}, [Verdict.PASS]),
        ({"text": "", "advisories": (), "skip_reasons": ["not on PyPI"]}, [Verdict.INCONCLUSIVE]),
    ],
    ids="accepted unaccepted over over-and-gone another-package another-id unused skipped".split(),
)
def test_an_acceptance_covers_one_id_of_one_package_until_one_day(changes, verdicts):
    """Nothing else is accepted, and a skipped package is no pass."""
    assert judged(**changes) == verdicts


def test_an_unused_acceptance_is_reported():
    """The file should not collect old exceptions."""
    ((_, reason),) = judge((), (), parse_accepted(TEXT), DAY)
    assert "is not reported any more: remove it from environments/advisories.yaml" in reason


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("reason", "raeson", "unknown key"), ("  by: Kim\n", "", "by: this key is required")],
)
def test_a_mistake_in_the_file_is_named(old, new, message):
    """The error names the key."""
    with pytest.raises(UserError, match=message):
        parse_accepted(TEXT.replace(old, new))


def test_the_committed_file_can_be_read():
    """The file is valid, whatever it accepts."""
    assert isinstance(
        parse_accepted(Path("environments/advisories.yaml").read_text("utf-8")), tuple
    )
