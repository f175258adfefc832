"""A cluster that Argo CD or Flux update from Git; `deploy` only waits for them.

Applying from here as well would give the cluster two masters. So `deploy` succeeds when the release
that the environment's release.yaml names, and no other, answers at the environment's address.
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.console import say
from mlops.errors import Refused
from mlops.serving import client
from mlops.targets import Confirm, Live, kustomize

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

# Each request is a new connection, which a load balancer sends to another pod.
SETTLE_SECONDS = 5.0
POLL_SECONDS = 0.2
SINCE = "it was rolled out"


def deploy(
    environment: "Environment",
    release_id: str,
    bundle: Path,
    ready_seconds: float,
    confirm: Confirm = lambda: None,
) -> Live:
    """Wait until every pod of the cluster has served only this release for some seconds."""
    confirm()
    # Without a valid rendering the cluster would never take it.
    kustomize.render(environment, environment.release)
    expected = {"release_id": release_id, **_packed(bundle)}
    url = environment.settings.kubernetes.url
    seconds = environment.settings.kubernetes.rollout_seconds + ready_seconds
    say("deploy", f"the cluster rolls out {environment.name}; waiting at most {seconds:g} s")
    deadline, settled, reported = time.monotonic() + seconds, None, {}
    while time.monotonic() < deadline:
        reported = _reported(url)
        if reported.get("release_id") == release_id and reported != expected:
            raise Refused(_explain(environment, expected, reported))
        settled = (settled or time.monotonic()) if reported == expected else None
        if settled and time.monotonic() - settled >= SETTLE_SECONDS:
            return Live(release_id, url, SINCE)
        time.sleep(POLL_SECONDS)
    raise Refused(_explain(environment, expected, reported))


def live(environment: "Environment") -> Live | None:
    """Return the release that answers at the environment's address."""
    url = environment.settings.kubernetes.url
    release_id = client.served_release(url, timeout=5)
    return Live(release_id, url, SINCE) if release_id else None


def stop(environment: "Environment") -> bool:
    """Leave the cluster alone: it would start the release in Git again."""
    how = "machinery/docs/kubernetes.md describes how to stop it"
    say("down", f"{environment.name} runs on a cluster; {how}")
    return False


def _packed(bundle: Path) -> dict[str, Any]:
    """Return model digest and commit as a service with this bundle reports them."""
    record = json.loads((bundle / "src/record.json").read_text(encoding="utf-8"))
    return {"model_digest": record["model"]["digest"], "commit": record["source"]["commit"]}


def _reported(url: str) -> dict[str, Any]:
    """Return release id, model digest and commit of the service; empty if nothing answers."""
    answer, keys = client.version(url, timeout=5), ("release_id", "model_digest", "commit")
    return {key: answer[key] for key in keys} if answer.keys() >= set(keys) else {}


def _explain(environment: "Environment", expected: dict[str, Any], reported: dict[str, Any]) -> str:
    cluster = environment.settings.kubernetes
    differing = [f"{key} {reported[key]}" for key in reported if reported[key] != expected[key]]
    answer = f"reports {', '.join(differing)}" if reported else "reports no release"
    if reported == expected:
        answer = "also reported another release a few seconds ago"
    return (
        f"{environment.name} does not serve {expected['release_id']}: {cluster.url}/version "
        f"{answer}. Check whether Argo CD or Flux took the commit and the pods became ready: "
        f"`kubectl --namespace {cluster.namespace} rollout status deployment/predictor`."
    )
