"""List the content of the release in CycloneDX: packages, model, data, metrics.

The packages are those that syft finds in the image; without an image, those of the bundle's lock.
The SBOM is stored beside the bundle, and `sign` puts its digest into the signed statement.
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
from mlops.signing.check import SBOM_SUFFIX


def run(_: argparse.Namespace) -> None:
    """Write the SBOM of build/release.yaml to build/ and to the store."""
    timer, release = Timer(), environments.built()
    store, digest = Store(load_params(AnyModel).store), release.promoted.bundle.digest
    document = _document(release, bundle.fetch(store, digest))
    _require_valid(document)
    content = files.canonical(document)
    store.attach(digest, SBOM_SUFFIX, content)
    files.write(SBOM, content)
    packages = sum(part["type"] == "library" for part in document["components"])
    source = "image" if release.promoted.image else "bundle"
    say("sbom", f"{packages} packages in the {source}; {SBOM} ({timer.seconds:.1f} s)")


def _document(release: Release, bento: Path) -> sbom.Part:
    record = files.read_json(bento / "src/record.json", made_by="package")
    if release.promoted.image:
        return sbom.of_image(release, record, _scan(release.promoted.image.ref))
    lock = (bento / "env/python/requirements.txt").read_text(encoding="utf-8")
    return sbom.of_bundle(release, record, lock)


def _scan(ref: str) -> sbom.Part:
    """Return syft's list of an image; raises UserError with syft's last error."""
    process = subprocess.run(
        [str(Path(sys.executable).with_name("syft")), "--quiet", ref, "--output", "cyclonedx-json"],
        env={**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        why = failure(process.stderr, f"exit code {process.returncode}")
        raise UserError(
            f"syft cannot list {ref}: {why} Check the connection to the registry, and "
            "`docker login`."
        )
    return json.loads(process.stdout)


def _require_valid(document: sbom.Part) -> None:
    """Raise UserError if an SBOM is not valid CycloneDX."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = SchemaVersion.from_version(document["specVersion"])
    mistake = JsonStrictValidator(version).validate_str(json.dumps(document))
    if mistake:
        raise UserError(
            f"The SBOM is not CycloneDX {sbom.SPEC}, and nothing was stored: {mistake}. This is a "
            "mistake of the machinery: report it."
        )
