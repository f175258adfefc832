"""Make an environment serve the release that its release.yaml names.

The release starts beside the live one and takes over when it is ready; if it never becomes ready,
the live one stays. It is checked twice: before its bundle is fetched, and when no other deployment
can run, so that a rollback meanwhile wins. Deploying the live release verifies it. More:
machinery/docs/deploy.md.
"""

import argparse
from dataclasses import replace

from mlops import git
from mlops.ci import actions
from mlops.config.options import ENV
from mlops.config.params import AnyModel, load_params
from mlops.console import Timer, say
from mlops.errors import Refused
from mlops.files import write_json
from mlops.paths import DEPLOYED
from mlops.releases import bundle, environments, gather
from mlops.releases.environments import Environment
from mlops.releases.release import Release
from mlops.releases.rules import table
from mlops.releases.rules.facts import Facts
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
    what = f"{environment.name} does not deploy {release.release_id}"
    commit, facts = git.head(), _checked(what, environment, release, before)
    timer, store = Timer(), Store(params.store)
    signature = tuple(check_signature(environment, release, store))
    table.require(what, table.START, replace(facts, signature=signature))
    folder = bundle.fetch(store, release.promoted.bundle.digest)
    say("deploy", f"bundle {release.promoted.bundle.digest[:19]} at hand ({timer.seconds:.1f} s)")
    timer = Timer()
    now = target.deploy(
        environment,
        release.release_id,
        folder,
        params.serve.ready_seconds,
        lambda: _confirm(what, environment.name, release, before),
    )
    _write(environment.name, now, commit)
    _report(environment.name, before, now, timer)


def _checked(what: str, environment: Environment, release: Release, before: Live | None) -> Facts:
    """Return the facts about the release; raises Refused if a rule refuses to deploy it."""
    facts = gather.for_deploy(environment, release, before and before.release_id)
    table.require(what, table.DEPLOY, facts)
    return facts


def _confirm(what: str, name: str, release: Release, before: Live | None) -> None:
    """Check the release again, after its bundle was fetched; raises Refused."""
    environment = environments.environment(name)
    current = environment.release
    if current != release:
        release_id = current.release_id if current else "none"
        raise Refused(
            f"{what}: {environment.file} names {release_id} now. A rollback or promotion was "
            f"committed meanwhile, and it wins. Run `make deploy ENV={name}` to serve what it left."
        )
    _checked(what, environment, release, before)


def _write(name: str, now: Live, commit: str) -> None:
    """Record the verified release and its commit for the next steps."""
    deployed = {"releaseId": now.release_id, "commit": commit, "url": now.url}
    write_json(DEPLOYED / f"{name}.json", deployed)
    actions.output("commit", commit)
    actions.summary(f"`{name}` serves `{now.release_id}`")


def _report(name: str, before: Live | None, now: Live, timer: Timer) -> None:
    if now == before:
        say("deploy", f"{name} serves {now.release_id} already, since {now.since}; verified")
    else:
        was = before.release_id if before else "nothing"
        say("deploy", f"{name} serves {now.release_id} (before: {was}; {timer.seconds:.1f} s)")
    say("", f"{now.url}")
