"""Guards of environments that run on a cluster."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from mlops.doctor.context import Seen
from mlops.doctor.findings import Finding, bad, ok
from mlops.paths import ENVIRONMENTS
from mlops.releases import environments

# The one file of each that a fork edits, and what stands there until it does.
READERS = (ENVIRONMENTS / "argo-cd/project.yaml", ENVIRONMENTS / "flux/repository.yaml")
UNTOLD, NOWHERE = "OWNER/REPOSITORY", "example.com"


def clusters(_: Seen) -> Iterator[Finding]:
    """What reads Git for a cluster was told where Git is, and `deploy` where to ask."""
    known = map(environments.environment, environments.names())
    there = [one for one in known if one.settings.target == "kubernetes"]
    if not there:
        return
    wrong = [
        f"environments/{one.name}/settings.yaml: kubernetes.url is the template's"
        for one in there
        if f".{urlsplit(one.settings.kubernetes.url).hostname}".endswith(f".{NOWHERE}")
    ]
    if all(UNTOLD in file.read_text(encoding="utf-8") for file in READERS if file.exists()):
        names = " and ".join(map(str, READERS))
        wrong.append(f"{names} name no repository: no cluster can read this one")
    if wrong:
        yield bad("clusters", "; ".join(wrong), "machinery/docs/kubernetes.md says what to edit")
    else:
        yield ok("clusters", f"{', '.join(one.name for one in there)} can be read and asked")
