"""Make an environment serve the release that its release.yaml names.

The release starts beside the one that serves and takes over when it is ready; one that never is
ready changes nothing. Deploying what is live already verifies it. More: machinery/docs/deploy.md.
"""

import argparse

from mlops import git
from mlops.ci import actions
from mlops.config.options import ENV
from mlops.config.params import AnyModel, load_params
from mlops.console import Timer, say
from mlops.files import write_json
from mlops.paths import DEPLOYED
from mlops.releases import bundle, environments
from mlops.releases.store import Store
from mlops.signing.check import require_signature
from mlops.targets import Live, target_of

OPTIONS = (ENV,)


def run(options: argparse.Namespace) -> None:
    """Check the release, fetch its bundle, and have the environment's target serve it."""
    environment = environments.environment(options.env)
    target, params = target_of(environment), load_params(AnyModel)
    before = target.live(environment)
    release = environments.deployable(environment, before and before.release_id)
    timer, store = Timer(), Store(params.store)
    require_signature(environment, release, store)
    folder = bundle.fetch(store, release.promoted.bundle.digest)
    say("deploy", f"bundle {release.promoted.bundle.digest[:19]} at hand ({timer.seconds:.1f} s)")
    timer = Timer()
    now = target.deploy(environment, release.release_id, folder, params.serve.ready_seconds)
    _write(environment.name, now)
    _tell(environment.name, before, now, timer)


def _write(name: str, now: Live) -> None:
    """Leave word of what was verified, for whatever comes next."""
    seen = {"releaseId": now.release_id, "commit": git.head(), "url": now.url}
    write_json(DEPLOYED / f"{name}.json", seen)
    actions.output("commit", seen["commit"])
    actions.summary(f"`{name}` serves `{now.release_id}`")


def _tell(name: str, before: Live | None, now: Live, timer: Timer) -> None:
    if now == before:
        say("deploy", f"{name} serves {now.release_id} already, since {now.since}; verified")
    else:
        was = before.release_id if before else "nothing"
        say("deploy", f"{name} serves {now.release_id} (before: {was}; {timer.seconds:.1f} s)")
    say("", f"{now.url}")
