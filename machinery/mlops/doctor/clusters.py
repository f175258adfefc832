"""Guards of environments that run on a cluster."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from mlops.doctor.context import Context
from mlops.doctor.findings import GuardResult, bad, ok
from mlops.paths import ENVIRONMENTS
from mlops.releases import environments

# The one file of each that a fork edits, and the template's values in it.
READERS = (ENVIRONMENTS / "argo-cd/project.yaml", ENVIRONMENTS / "flux/repository.yaml")
PLACEHOLDER, EXAMPLE_DOMAIN = "OWNER/REPOSITORY", "example.com"


def clusters(_: Context) -> Iterator[GuardResult]:
    """Check that Argo CD or Flux has the repository's address, and `deploy` the service's."""
    every = map(environments.environment, environments.names())
    on_clusters = [one for one in every if one.settings.target == "kubernetes"]
    if not on_clusters:
        return
    wrong = [
        f"environments/{one.name}/settings.yaml: kubernetes.url is the template's"
        for one in on_clusters
        if f".{urlsplit(one.settings.kubernetes.url).hostname}".endswith(f".{EXAMPLE_DOMAIN}")
    ]
    if all(PLACEHOLDER in file.read_text(encoding="utf-8") for file in READERS if file.exists()):
        names = " and ".join(map(str, READERS))
        wrong.append(f"{names} name no repository: no cluster can read this one")
    if wrong:
        yield bad("clusters", "; ".join(wrong), "machinery/docs/kubernetes.md lists what to edit")
    else:
        names = ", ".join(one.name for one in on_clusters)
        yield ok("clusters", f"{names}: the addresses of Git and of the service are set")
