"""Make an environment serve the release that its release.yaml names.

The release starts beside the live one and takes over when it is ready; if it never becomes ready,
the live one stays. Deploying the live release verifies it. More: machinery/docs/deploy.md.
"""

import argparse
from dataclasses import replace

from mlops import git
from mlops.ci import actions
from mlops.config.options import ENV
from mlops.config.params import AnyModel, load_params
from mlops.console import Timer, say
from mlops.files import write_json
from mlops.paths import DEPLOYED
from mlops.releases import bundle, environments, gather
from mlops.releases.rules import table
from mlops.releases.rules.order import require_release
from mlops.releases.store import Store
from mlops.signing.check import check_signature
from mlops.targets import Live, target_of

OPTIONS = (ENV,)


def run(options: argparse.Namespace) -> None:
    """Check the release, fetch its bundle, and let the environment's target serve it."""
    environment = environments.environment(options.env)
    target, params = target_of(environment), load_params(AnyModel)
    before = target.live(environment)
    release = require_release(environment.release, environment.name, "nothing to deploy")
    facts = gather.for_deploy(environment, release, before and before.release_id)
    what = f"{environment.name} does not deploy {release.release_id}"
    table.require(what, table.DEPLOY, facts)
    timer, store = Timer(), Store(params.store)
    signature = tuple(check_signature(environment, release, store))
    table.require(what, table.START, replace(facts, signature=signature))
    folder = bundle.fetch(store, release.promoted.bundle.digest)
    say("deploy", f"bundle {release.promoted.bundle.digest[:19]} at hand ({timer.seconds:.1f} s)")
    timer = Timer()
    now = target.deploy(environment, release.release_id, folder, params.serve.ready_seconds)
    _write(environment.name, now)
    _report(environment.name, before, now, timer)


def _write(name: str, now: Live) -> None:
    """Record the verified release and its commit for the next steps."""
    deployed = {"releaseId": now.release_id, "commit": git.head(), "url": now.url}
    write_json(DEPLOYED / f"{name}.json", deployed)
    actions.output("commit", deployed["commit"])
    actions.summary(f"`{name}` serves `{now.release_id}`")


def _report(name: str, before: Live | None, now: Live, timer: Timer) -> None:
    if now == before:
        say("deploy", f"{name} serves {now.release_id} already, since {now.since}; verified")
    else:
        was = before.release_id if before else "nothing"
        say("deploy", f"{name} serves {now.release_id} (before: {was}; {timer.seconds:.1f} s)")
    say("", f"{now.url}")
