"""Sign the release: the builder certifies its bundle, image, model, data and commit.

Signs with the key file that MLOPS_SIGNING_KEY names or that `--new-key` created. A workflow with
the permission `id-token: write` needs no key: Sigstore certifies it (machinery/docs/signing.md).
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
from mlops.signing.check import SBOM_SUFFIX, SIGNATURE_SUFFIX
from mlops.signing.statement import Builder, statement

OPTIONS = (
    Option("--new-key", "create a key of this name instead of signing", "NAME"),
    Option("--release", "a release of the catalogue, instead of the newest build", "ID"),
)


def run(options: argparse.Namespace) -> None:
    """Sign a release, or create a key; a second signature with the same key changes nothing."""
    params = load_params(AnyModel)
    if options.new_key is not None:
        _create_key(params.name, options.new_key)
        return
    release, store = _release(options.release), Store(params.store)
    key = keys.private_key(params.name)
    if key is None and (reason := _why_not_keyless()):
        _leave_unsigned(release, reason)
        return
    folder = bundle.fetch(store, release.promoted.bundle.digest)
    _require_content(folder / "src", release)
    payload = statement(release.promoted, _builder(), _sbom_digests(store, release.promoted))
    _sign_and_store(release, payload, key, store)


def _create_key(project: str, name: str) -> None:
    private, public = keys.create(project, name)
    say("sign", f"created the private key {private} and the public key {public}")
    say("", f"commit {public} and name it in a policy.yaml: signed_by: [{{key: {name}}}]")


def _release(release_id: str | None) -> Release:
    """Return the release to sign; raises UserError if the catalogue lacks it."""
    if release_id is None:
        return environments.built()
    ids = catalogue_ids()
    full_id = next((one for one in ids if release_id in (one, short(one))), None)
    if full_id is None:
        raise UserError(
            f"--release: no {release_id!r} in the catalogue. There are {', '.join(ids)}."
        )
    return environments.catalogue_entry(full_id)


def _why_not_keyless() -> str | None:
    """Return why keyless signing is impossible here, None if it is possible."""
    if not os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return "there is no key and no identity of a workflow"
    private = actions.payload().get("repository", {}).get("private", True)
    if private and keyless.uses_public_log():
        # The public log names repository, workflow and commit, permanently.
        return "the repository is private, and the public Sigstore publishes its name"
    return None


def _leave_unsigned(release: Release, reason: str) -> None:
    """Report that nothing was signed; raises UserError if a policy demands a signature."""
    all_environments = [environments.environment(name) for name in environments.names()]
    demanding = [one.name for one in all_environments if one.policy.signed_by]
    if demanding:
        raise UserError(
            f"{release.release_id} was not signed: {reason}. {', '.join(demanding)} will refuse "
            "it. machinery/docs/signing.md shows how to create a key."
        )
    say("sign", f"not signed, and no policy demands it: {reason}")


def _require_content(source: Path, release: Release) -> None:
    """Raise Refused unless the bundle holds the model and the commit that the release names."""
    promoted = release.promoted
    record = files.read_json(source / "record.json", made_by="package")
    pairs = {
        "the model": (files.digest_folder(source / "trained"), promoted.model.digest),
        "the commit": (record["source"]["commit"], promoted.source.commit),
    }
    for part, (actual, named) in pairs.items():
        if actual != named:
            raise Refused(
                f"{release.release_id} names {part} {named}, and its bundle holds {actual}. "
                "Nothing was signed. Run `make package sign`."
            )


def _builder() -> Builder:
    """Return the workflow and its run; outside a workflow, a constant for any machine."""
    variables = os.environ
    if "GITHUB_WORKFLOW_REF" not in variables:
        return Builder("urn:mlops:own-machine")
    server = variables["GITHUB_SERVER_URL"]
    run = f"{variables['GITHUB_REPOSITORY']}/actions/runs/{variables['GITHUB_RUN_ID']}"
    attempt = variables.get("GITHUB_RUN_ATTEMPT", "1")
    workflow = f"{server}/{variables['GITHUB_WORKFLOW_REF']}"
    return Builder(workflow, f"{server}/{run}/attempts/{attempt}")


def _sbom_digests(store: Store, promoted: Promoted) -> list[str]:
    """Return the digests of the SBOMs in the store beside the bundle."""
    return [files.digest(sbom) for sbom in store.attached(promoted.bundle.digest, SBOM_SUFFIX)]


def _sign_and_store(release: Release, payload: bytes, key: Any, store: Store) -> None:
    """Sign a statement, unless this key did already; write it to the store and to build/."""
    digest = release.promoted.bundle.digest
    stored = store.attached(digest, SIGNATURE_SUFFIX) if key else []
    existing = next((text for text in stored if keys.has_signed(text, key, payload)), None)
    signature = existing or _signature(payload, key)
    store.attach(digest, SIGNATURE_SUFFIX, signature)
    files.write(SIGNATURE, signature)
    already = " already" if existing else ""
    signer = _signer_name(signature, key)
    say("sign", f"{release.release_id} is signed{already} by {signer}; {SIGNATURE}")
    workflow, _, commit = signer.partition("@")
    if re.fullmatch("[0-9a-f]{40}", commit):
        ref = os.environ.get("GITHUB_REF", "refs/heads/main")
        say("", f"GitHub names the commit; in `signed_by` write the branch: {workflow}@{ref}")


def _signature(payload: bytes, key: Any) -> bytes:
    return keys.sign(payload, key) if key else keyless.sign(payload, keyless.identity_token())


def _signer_name(signature: bytes, key: Any) -> str:
    return f"the key {keys.key_name(key.public_key.keyid)}" if key else keyless.signer_of(signature)
