"""A cluster that reads Git by itself, through Argo CD or Flux: here it is only waited for.

Applying from here as well would make two masters. So `deploy` ends well when what the environment's
release.yaml names is what answers at its address, and nothing else answers there any more.
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.console import say
from mlops.errors import Refused
from mlops.serving import client
from mlops.targets import Live, kustomize

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

# Each question is a connection of its own, which a balancer hands to one pod after the other.
SETTLE_SECONDS = 5.0
POLL_SECONDS = 0.2
SINCE = "it was rolled out"


def deploy(environment: "Environment", release_id: str, bundle: Path, ready_seconds: float) -> Live:
    """Wait until the cluster serves a release, and no pod another one, for some seconds."""
    # What cannot be built is not waited for.
    kustomize.render(environment, environment.release)
    wanted = {"release_id": release_id, **_packed(bundle)}
    url = environment.settings.kubernetes.url
    seconds = environment.settings.kubernetes.rollout_seconds + ready_seconds
    say("deploy", f"{environment.name} is a cluster's to roll out; waiting at most {seconds:g} s")
    deadline, settled, said = time.monotonic() + seconds, None, {}
    while time.monotonic() < deadline:
        said = _said(url)
        if said.get("release_id") == release_id and said != wanted:
            raise Refused(_explain(environment, wanted, said))
        settled = (settled or time.monotonic()) if said == wanted else None
        if settled and time.monotonic() - settled >= SETTLE_SECONDS:
            return Live(release_id, url, SINCE)
        time.sleep(POLL_SECONDS)
    raise Refused(_explain(environment, wanted, said))


def live(environment: "Environment") -> Live | None:
    """Return what answers at the environment's address."""
    url = environment.settings.kubernetes.url
    release_id = client.served_release(url, timeout=5)
    return Live(release_id, url, SINCE) if release_id else None


def stop(environment: "Environment") -> bool:
    """Leave the cluster alone: it would start again what Git names."""
    say(
        "down",
        f"{environment.name} runs on a cluster; how to stop it: machinery/docs/kubernetes.md",
    )
    return False


def _packed(bundle: Path) -> dict[str, Any]:
    """Return what a service that runs this bundle says of itself, whatever id it was given."""
    record = json.loads((bundle / "src/record.json").read_text(encoding="utf-8"))
    return {"model_digest": record["model"]["digest"], "commit": record["source"]["commit"]}


def _said(url: str) -> dict[str, Any]:
    """Return what answers now says that it is; empty where nothing does."""
    found, keys = client.version(url, timeout=5), ("release_id", "model_digest", "commit")
    return {key: found[key] for key in keys} if found.keys() >= set(keys) else {}


def _explain(environment: "Environment", wanted: dict[str, Any], said: dict[str, Any]) -> str:
    cluster = environment.settings.kubernetes
    differing = [f"{key} {said[key]}" for key in wanted if key in said and said[key] != wanted[key]]
    found = f"says {', '.join(differing)}" if said else "does not say what it is"
    if said == wanted:
        found = "was not alone for long enough"
    return (
        f"{wanted['release_id']} is not what {environment.name} serves: {cluster.url}/version "
        f"{found}. Did Argo CD or Flux take the commit? Did the pods become ready? "
        f"`kubectl --namespace {cluster.namespace} rollout status deployment/predictor` tells."
    )
