"""List what is really inside the release, in CycloneDX: packages, model, data, metrics.

Of the image where there is one, as syft finds it; else of what the bundle's lock installs. Kept
beside the bundle; `sign` after it puts its digest into what is signed.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from mlops import files
from mlops.config.params import AnyModel, load_params
from mlops.console import Timer, say
from mlops.errors import UserError, failure
from mlops.paths import SBOM
from mlops.releases import bundle, environments
from mlops.releases.release import Release
from mlops.releases.store import Store
from mlops.signing import sbom
from mlops.signing.check import BILL


def run(_: argparse.Namespace) -> None:
    """Write the bill of build/release.yaml and keep it in the store."""
    timer, release = Timer(), environments.built()
    store, digest = Store(load_params(AnyModel).store), release.promoted.bundle.digest
    made = _bill(release, bundle.fetch(store, digest))
    _require_valid(made)
    content = files.canonical(made)
    store.attach(digest, BILL, content)
    files.write(SBOM, content)
    packages = sum(part["type"] == "library" for part in made["components"])
    of = "image" if release.promoted.image else "bundle"
    say("sbom", f"{packages} packages in the {of}; {SBOM} ({timer.seconds:.1f} s)")


def _bill(release: Release, bento: Path) -> sbom.Part:
    record = files.read_json(bento / "src/record.json", made_by="package")
    if release.promoted.image:
        return sbom.of_image(release, record, _listed(release.promoted.image.ref))
    lock = (bento / "env/python/requirements.txt").read_text(encoding="utf-8")
    return sbom.of_bundle(release, record, lock)


def _listed(ref: str) -> sbom.Part:
    """Return what syft finds in an image; raises UserError with its last words."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("syft")), "--quiet", ref, "--output", "cyclonedx-json"],
        env={**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = failure(done.stderr, f"exit code {done.returncode}")
        raise UserError(f"syft cannot list {ref}: {why} Is the registry reached, and open?")
    return json.loads(done.stdout)


def _require_valid(made: sbom.Part) -> None:
    """Raise UserError when a bill is not CycloneDX."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = SchemaVersion.from_version(made["specVersion"])
    wrong = JsonStrictValidator(version).validate_str(json.dumps(made))
    if wrong:
        raise UserError(f"The list is not CycloneDX {sbom.SPEC}, and nothing was kept: {wrong}")
