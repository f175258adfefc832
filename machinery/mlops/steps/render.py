"""Write the objects that a cluster gets for an environment, after the checks of `deploy`.

Kustomize puts release.yaml and settings.yaml into environments/base/; Argo CD and Flux build the
same folder. Nothing is applied: machinery/docs/kubernetes.md describes how a cluster takes it.
"""

import argparse

from mlops.config.options import ENV
from mlops.console import say
from mlops.files import write
from mlops.paths import RENDERED
from mlops.releases import environments, gather
from mlops.releases.rules import table
from mlops.releases.rules.order import require_release
from mlops.targets import kustomize

OPTIONS = (ENV,)


def run(options: argparse.Namespace) -> None:
    """Check the release, build the environment, check the objects and write them to a file."""
    environment = environments.environment(options.env)
    release = require_release(environment.release, environment.name, "nothing to deploy")
    # Rendering changes nothing, so it is allowed in a freeze, as if the release were live.
    facts = gather.for_deploy(environment, release, release.release_id)
    what = f"{environment.name} does not deploy {release.release_id}"
    table.require(what, table.DEPLOY, facts)
    text = kustomize.render(environment, release)
    objects = kustomize.objects(text)
    version, unknown = kustomize.validate(objects)
    file = RENDERED / f"{environment.name}.yaml"
    write(file, text)
    say("render", f"{file}: {len(objects)} objects that run {release.release_id}")
    say("", f"valid for Kubernetes {version}, strictly")
    if unknown:
        say("", f"not checked, because Kubernetes has no schema of them: {', '.join(unknown)}")
