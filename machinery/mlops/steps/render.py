"""Show what a cluster is sent for an environment, after the checks of `deploy`.

Kustomize puts release.yaml and settings.yaml into environments/base/; Argo CD and Flux build the
same folder. Nothing is applied: machinery/docs/kubernetes.md tells how a cluster takes it.
"""

import argparse

from mlops.config.options import ENV
from mlops.console import say
from mlops.files import write
from mlops.paths import RENDERED
from mlops.releases import environments
from mlops.targets import kustomize

OPTIONS = (ENV,)


def run(options: argparse.Namespace) -> None:
    """Check the release, build the environment, check the objects and write them to a file."""
    environment = environments.environment(options.env)
    held = environment.release
    # Rendering moves nothing, so a freeze does not forbid it: as if the release were live.
    release = environments.deployable(environment, held and held.release_id)
    text = kustomize.render(environment, release)
    found = kustomize.objects(text)
    version, unknown = kustomize.validate(found)
    file = RENDERED / f"{environment.name}.yaml"
    write(file, text)
    say("render", f"{file}: {len(found)} objects that run {release.release_id}")
    say("", f"valid for Kubernetes {version}, strictly")
    if unknown:
        say("", f"not checked, since their schemas are not Kubernetes' own: {', '.join(unknown)}")
