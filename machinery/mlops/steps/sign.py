"""Sign the release: who built it vouches for the bundle, image, model, data and commit it pins.

With the key file that MLOPS_SIGNING_KEY names or that `--new-key` made; in a workflow that may ask
for an identity (`id-token: write`), through Sigstore without a key.
More: machinery/docs/signing.md.
"""

import argparse
import os
import re
from pathlib import Path
from typing import Any

from mlops import files
from mlops.ci import actions
from mlops.config.options import Option
from mlops.config.params import AnyModel, load_params
from mlops.console import say
from mlops.errors import Refused, UserError
from mlops.paths import SIGNATURE
from mlops.releases import bundle, environments
from mlops.releases.release import Promoted, Release, catalogue_ids, short
from mlops.releases.store import Store
from mlops.signing import keyless, keys
from mlops.signing.check import BILL, KIND
from mlops.signing.statement import Builder, statement

OPTIONS = (
    Option("--new-key", "make a key of this name instead of signing", "NAME"),
    Option("--release", "a release of the catalogue, instead of what was built last", "ID"),
)


def run(options: argparse.Namespace) -> None:
    """Sign a release, or make a key; signing again with the same key changes nothing."""
    params = load_params(AnyModel)
    if options.new_key is not None:
        _make_key(params.name, options.new_key)
        return
    release, store = _release(options.release), Store(params.store)
    key = keys.private(params.name)
    if key is None and (why := _why_not_keyless()):
        _leave_unsigned(release, why)
        return
    folder = bundle.fetch(store, release.promoted.bundle.digest)
    _look_inside(folder / "src", release)
    payload = statement(release.promoted, _builder(), _bills(store, release.promoted))
    _keep(release, payload, key, store)


def _make_key(project: str, name: str) -> None:
    private, public = keys.make(project, name)
    say("sign", f"made {private}, for you alone, and {public}, for everybody")
    say("", f"commit {public} and name it in a policy.yaml: signed_by: [{{key: {name}}}]")


def _release(named: str | None) -> Release:
    """Return the release to sign; raises UserError when there is none."""
    if named is None:
        return environments.built()
    known = catalogue_ids()
    found = next((one for one in known if named in (one, short(one))), None)
    if found is None:
        raise UserError(f"--release: no {named!r} in the catalogue. There are {', '.join(known)}.")
    return environments.catalogue_entry(found)


def _why_not_keyless() -> str | None:
    """Return why no identity signs here, None where one can."""
    if not os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return "there is no key and no identity of a workflow"
    private = actions.payload().get("repository", {}).get("private", True)
    if private and keyless.is_public():
        # Its public log names repository, workflow and commit, for good.
        return "the repository is private, and the public Sigstore tells its name to everybody"
    return None


def _leave_unsigned(release: Release, why: str) -> None:
    """Say that nothing was signed; raises UserError where a policy demands it."""
    read = [environments.environment(name) for name in environments.names()]
    demanding = [one.name for one in read if one.policy.signed_by]
    if demanding:
        raise UserError(
            f"{release.release_id} was not signed: {why}. {', '.join(demanding)} will not take it. "
            "machinery/docs/signing.md tells how to have a key."
        )
    say("sign", f"not signed, and no policy demands it: {why}")


def _look_inside(source: Path, release: Release) -> None:
    """Raise Refused when a bundle holds another model, or code of another commit, than is told."""
    told, record = release.promoted, files.read_json(source / "record.json", made_by="package")
    pairs = {
        "the model": (files.digest_folder(source / "trained"), told.model.digest),
        "the commit": (record["source"]["commit"], told.source.commit),
    }
    for what, (found, named) in pairs.items():
        if found != named:
            raise Refused(
                f"{release.release_id} names {what} {named}, and its bundle holds {found}. "
                "Nothing was signed. Run `make package sign`."
            )


def _builder() -> Builder:
    """Return which workflow this is and which run of it; where none is named, some machine."""
    said = os.environ
    if "GITHUB_WORKFLOW_REF" not in said:
        return Builder("urn:mlops:own-machine")
    server = said["GITHUB_SERVER_URL"]
    run = f"{said['GITHUB_REPOSITORY']}/actions/runs/{said['GITHUB_RUN_ID']}"
    attempt = said.get("GITHUB_RUN_ATTEMPT", "1")
    workflow = f"{server}/{said['GITHUB_WORKFLOW_REF']}"
    return Builder(workflow, f"{server}/{run}/attempts/{attempt}")


def _bills(store: Store, promoted: Promoted) -> list[str]:
    """Return the digests of the bills of materials that are kept beside the bundle."""
    return [files.digest(bill) for bill in store.attached(promoted.bundle.digest, BILL)]


def _keep(release: Release, payload: bytes, key: Any, store: Store) -> None:
    """Sign a statement, unless the key did already, and keep it in the store and in build/."""
    digest = release.promoted.bundle.digest
    kept = store.attached(digest, KIND) if key else []
    done = next((text for text in kept if keys.has_signed(text, key, payload)), None)
    signed = done or (keys.sign(payload, key) if key else keyless.sign(payload, keyless.token()))
    store.attach(digest, KIND, signed)
    files.write(SIGNATURE, signed)
    already = " already" if done else ""
    who = _who(signed, key)
    say("sign", f"{release.release_id} is signed{already} by {who}; {SIGNATURE}")
    workflow, _, commit = who.partition("@")
    if re.fullmatch("[0-9a-f]{40}", commit):
        ref = os.environ.get("GITHUB_REF", "refs/heads/main")
        say("", f"GitHub names the commit; in `signed_by` write the branch: {workflow}@{ref}")


def _who(signed: bytes, key: Any) -> str:
    return f"the key {keys.name_of(key.public_key.keyid)}" if key else keyless.signer_of(signed)
