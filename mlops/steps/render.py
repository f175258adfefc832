"""Show what a cluster is sent for an environment, after the checks of `deploy`.

Kustomize puts release.yaml and settings.yaml into environments/base/; Argo CD and Flux build the
same folder. Nothing is applied: docs/kubernetes.md tells how a cluster takes it.
"""

import argparse

from mlops import rendering
from mlops.console import say
from mlops.files import write
from mlops.options import ENV
from mlops.paths import RENDERED
from mlops.releases import environments

OPTIONS = (ENV,)


def run(options: argparse.Namespace) -> None:
    """Check the release, build the environment, check the objects and write them to a file."""
    environment = environments.environment(options.env)
    held = environment.release
    # Rendering moves nothing, so a freeze does not forbid it: as if the release were live.
    release = environments.deployable(environment, held and held.release_id)
    text = rendering.render(environment, release)
    found = rendering.objects(text)
    version, unknown = rendering.validate(found)
    file = RENDERED / f"{environment.name}.yaml"
    write(file, text)
    say("render", f"{file}: {len(found)} objects that run {release.release_id}")
    say("", f"valid for Kubernetes {version}, strictly")
    if unknown:
        say("", f"not checked, since their schemas are not Kubernetes' own: {', '.join(unknown)}")
