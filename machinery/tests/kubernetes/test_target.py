"""Behind the address of an environment stands a real service, which changes as a cluster would."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from machinery.tests.waiting import HANG_SECONDS
from mlops import targets
from mlops.errors import Refused, UserError
from mlops.files import digest
from mlops.releases import environments
from mlops.targets import kubernetes

OLD = {"release_id": "churn-20260101-0001-000000000000", "model_digest": "old", "commit": "old"}


class Cluster:
    """Answers /version with what `pods` say, one after the other."""

    def __init__(self):
        self.pods, self.asked = [OLD], 0
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_GET(self):  # pylint: disable=invalid-name
                """Have the next pod answer."""
                pod = cluster.pods[cluster.asked % len(cluster.pods)] if cluster.pods else None
                cluster.asked += 1
                self.send_response(200 if pod and self.path == "/version" else 503)
                self.end_headers()
                self.wfile.write(json.dumps(pod).encode())

            def log_message(self, *_):
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def cluster():
    """What answers for the environment."""
    service = Cluster()
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def staging(clone, cluster, monkeypatch):
    """The environment, set to run on that cluster."""
    monkeypatch.setattr(kubernetes, "SETTLE_SECONDS", 0.3)
    file = "environments/staging/settings.yaml"
    settings = environments.environment("staging").settings
    clone.edit(file, settings.kubernetes.url, cluster.url)
    clone.edit(file, "target: local", "target: kubernetes")
    clone.edit(file, "rollout_seconds: 600", "rollout_seconds: 1")
    return environments.environment("staging")


@pytest.fixture
def expected(staging):
    """The version that a pod with the release reports."""
    promoted = staging.release.promoted
    return {
        "release_id": staging.release.release_id,
        "model_digest": promoted.model.digest,
        "commit": promoted.source.commit,
    }


@pytest.fixture
def deploy(staging, expected, tmp_path):
    """Does as the step, with the release's bundle at hand."""
    (tmp_path / "bundle/src").mkdir(parents=True)
    record = {
        "model": {"digest": expected["model_digest"]},
        "source": {"commit": expected["commit"]},
    }
    (tmp_path / "bundle/src/record.json").write_text(json.dumps(record), "utf-8")
    target = targets.target_of(staging)
    name, bundle = expected["release_id"], tmp_path / "bundle"
    return lambda ready_seconds=0.2: target.deploy(staging, name, bundle, ready_seconds)


def test_the_release_is_verified_once_the_cluster_serves_it(deploy, cluster, expected):
    cluster.pods = [OLD] * 3 + [expected] * 1000
    assert deploy(HANG_SECONDS) == targets.Live(
        expected["release_id"], cluster.url, kubernetes.SINCE
    )
    # One answer of the release does not settle it.
    assert 5 <= cluster.asked < 1000


def test_an_old_release_that_stays_is_refused(deploy):
    with pytest.raises(Refused, match=f"/version reports release_id {OLD['release_id']}, model_"):
        deploy()


def test_one_old_pod_among_new_ones_is_refused(deploy, cluster, expected):
    """A roll-out that got stuck half-way."""
    cluster.pods = [expected, OLD]
    with pytest.raises(Refused, match="staging does not serve"):
        deploy()


def test_silence_is_refused(deploy, cluster):
    cluster.pods = []
    with pytest.raises(Refused, match="reports no release"):
        deploy()


def test_the_right_id_with_another_model_is_refused_at_once(deploy, cluster, expected):
    """Somebody changed the image under a name that was promoted."""
    cluster.pods = [{**expected, "model_digest": digest(b"another")}]
    with pytest.raises(Refused, match=f"reports model_digest {digest(b'another')}"):
        deploy(HANG_SECONDS)
    assert cluster.asked == 1


def test_a_release_without_an_image_is_not_waited_for(clone, staging, cluster):
    release_id = clone.ship(None)
    with pytest.raises(UserError, match="has no image"):
        kubernetes.deploy(staging, release_id, Path("bundle"), 0.5)
    assert cluster.asked == 0


def test_a_release_that_git_no_longer_names_is_not_waited_for(staging, cluster, expected):
    """A rollback was merged while the bundle was fetched."""

    def confirm():
        raise Refused("names another one now")

    with pytest.raises(Refused, match="names another one now"):
        kubernetes.deploy(staging, expected["release_id"], Path("bundle"), 0.5, confirm)
    assert cluster.asked == 0


def test_status_compares_the_servicewith_git(clone, staging, cluster, expected):
    """Desired and live, as for every other target."""
    assert "differs" in clone.mlops("status", "--env", staging.name).text
    cluster.pods = [expected]
    assert "live" in clone.mlops("status", "--env", staging.name).text


def test_down_leaves_a_servicealone(clone, staging, cluster):
    answer = clone.mlops("down", "--env", staging.name)
    assert answer.code == 0 and "staging runs on a cluster" in answer.text
    assert cluster.asked == 0


@pytest.mark.parametrize(
    "line, message",
    [
        ("url: https://me:secret@example.com", "kubernetes.url: found 'https://***@example.com'"),
        ("url: https://me:sec/ret@example.com", "kubernetes.url: found 'https://***@example.com'"),
        ("password: hunter2", "unknown key"),
        ("cpu: lots", "kubernetes.cpu: found 'lots'"),
    ],
)
def test_a_forbidden_setting_is_named(clone, line, message):
    """A secret has no place there: an address holds none, and there is no field for one."""
    file = Path("environments/dev/settings.yaml")
    lines = file.read_text("utf-8").splitlines()
    key = line.split(":")[0]
    others = [one for one in lines if not one.startswith(f"  {key}:")]
    at = next(i for i, one in enumerate(others) if one.startswith("kubernetes:"))
    file.write_text("\n".join([*others[: at + 1], f"  {line}", *others[at + 1 :], ""]), "utf-8")
    answer = clone.mlops("status", "--env", "dev")
    assert message in answer.text and "ret@" not in answer.text
    assert "environments/dev/settings.yaml:" in answer.text


def test_settings_may_not_go_to_a_servicethemselves(clone):
    """As they would without the annotation."""
    note = 'config.kubernetes.io/local-config: "true"'
    clone.edit("environments/dev/settings.yaml", note, "")
    text = clone.mlops("status", "--env", "dev").text
    assert "metadata.annotations.config.kubernetes.io/local-config: this key is required" in text


def test_the_target_needs_its_section(clone):
    text = "target: kubernetes\nport: 3001\n"
    Path("environments/dev/settings.yaml").write_text(text, "utf-8")
    assert "`target: kubernetes` needs the section" in clone.mlops("status", "--env", "dev").text
