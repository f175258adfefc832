"""The image of a release: built from its bundle, with labels that identify the release."""

import json
import os
import tempfile
from pathlib import Path

from mlops import git
from mlops.config.params import Params
from mlops.container import engine
from mlops.container.registry import OciRepository
from mlops.errors import Refused, UserError
from mlops.paths import BUILD
from mlops.releases import bundle
from mlops.releases.release import Image, Promoted
from mlops.releases.store import Store

# Overrides params.yaml's `registry`; never recorded in a release, so images stay relocatable.
REGISTRY_VARIABLE = "MLOPS_REGISTRY"


def repository(params: Params) -> OciRepository | None:
    """Return the repository for images; without a setting it is the store's, None for a folder."""
    name = os.environ.get(REGISTRY_VARIABLE) or params.registry
    store = Store(params.store).url
    if name is None and store.startswith("oci://"):
        name = store.removeprefix("oci://")
    return None if name is None else OciRepository(name)


def tag_of(promoted: Promoted) -> str:
    """Return the tag of a release's image: one bundle, one image."""
    return promoted.bundle.digest.removeprefix("sha256:")


def identity_labels(promoted: Promoted) -> dict[str, str]:
    """Return the labels that identify the release; names are those of the OCI, if it has one."""
    return {
        "org.opencontainers.image.revision": promoted.source.commit,
        "mlops.releases.bundle.digest": promoted.bundle.digest,
        "mlops.model.digest": promoted.model.digest,
        "mlops.data.fingerprint": promoted.data.fingerprint,
    }


def all_labels(promoted: Promoted) -> dict[str, str]:
    """Return all labels of a release's image."""
    created = git.commit_time(promoted.source.commit)
    labels = {
        **identity_labels(promoted),
        "org.opencontainers.image.title": promoted.model.name,
        "org.opencontainers.image.version": f"{created[:10]}-{tag_of(promoted)[:12]}",
        "org.opencontainers.image.created": created,
    }
    if promoted.source.repository:
        # GitHub links a package to its repository by this label.
        url = f"https://github.com/{promoted.source.repository}"
        labels["org.opencontainers.image.source"] = url
    return labels


def build(promoted: Promoted, packed: Path, name: str) -> None:
    """Build the image of a packed bundle in the local engine, under a name."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".image.", dir=BUILD) as scratch:
        # Unpack fresh, because a served bundle contains __pycache__. Name the folder by digest:
        # buildx caches by path, size and mtime, and every mtime in a bundle is the same.
        folder = bundle.unpack(packed, promoted.bundle.digest, Path(scratch) / tag_of(promoted))
        record = json.loads((folder / "src/record.json").read_text(encoding="utf-8"))
        file = folder / "env/docker/Dockerfile"
        python = ".".join(record["environment"]["python"].split(".")[:2])
        options = {"file": str(file), "tag": name, "build-arg": f"PYTHON={python}"}
        labels = [f"--label={key}={value}" for key, value in all_labels(promoted).items()]
        engine.docker(
            "build",
            *(f"--{option}={value}" for option, value in options.items()),
            *labels,
            str(folder),
            what=f"The image of {promoted.bundle.digest[:19]} could not be built. Docker's error",
        )
    if engine.image(name) is None:
        raise UserError(
            f"{name} was built, but the engine lacks it: the builder that BUILDX_BUILDER or "
            "`docker buildx install` selects keeps its images to itself. Unset BUILDX_BUILDER, or "
            "run `docker buildx uninstall`, and build again."
        )


def push(where: OciRepository, tag: str) -> str:
    """Push the engine's image `where:tag`, and return its digest in the registry."""
    name = f"{where.name}:{tag}"
    engine.docker(
        "push",
        "--quiet",
        name,
        what=f"{name} could not be pushed. Run `docker login {where.host}` as a user who may write "
        "there. Docker's error",
    )
    references = (engine.image(name) or {}).get("RepoDigests") or []
    own = next((ref for ref in references if ref.startswith(f"{where.name}@")), "@")
    digest = own.partition("@")[2]
    if not digest or where.manifest(digest) is None:
        raise UserError(f"{name} was pushed, but {where.name} does not have it. Push it again.")
    return digest


def find_image(where: OciRepository, reference: str, promoted: Promoted) -> Image | None:
    """Return the release's image under a tag or digest, None if the registry lacks it.

    Raises Refused if its labels name another commit, model, bundle or data.
    """
    manifest = where.manifest(reference)
    config = manifest and where.image(manifest.digest)
    if not config:
        return None
    ref = f"{where.name}@{manifest.digest}"
    require_labels(ref, config.get("config", {}).get("Labels"), promoted)
    return Image(ref=ref, platform=f"{config['os']}/{config['architecture']}")


def require_labels(ref: str, labels: dict[str, str] | None, promoted: Promoted) -> None:
    """Raise Refused unless an image's labels identify the release."""
    actual = labels or {}
    differences = "; ".join(
        f"{name} is {actual.get(name, 'missing')}, not {expected}"
        for name, expected in identity_labels(promoted).items()
        if actual.get(name) != expected
    )
    if differences:
        raise Refused(
            f"{ref} is not the image of this release: {differences}. Nothing was changed. "
            "`make package image` at the release's commit builds the right one."
        )


def split(image: Image) -> tuple[OciRepository, str]:
    """Return the repository of a release's image and its digest."""
    name, _, digest = image.ref.partition("@")
    return OciRepository(name), digest


def in_mirror(image: Image, mirror: str | None) -> Image:
    """Return a release's image in an environment's own registry, with the same digest."""
    if mirror is None:
        return image
    return image.model_copy(update={"ref": f"{OciRepository(mirror).name}@{split(image)[1]}"})


def copy_to_mirror(promoted: Promoted, mirror: str, store: str) -> None:
    """Copy the image, bundle and signatures of a release to another registry, byte for byte.

    Existing copies stay. Raises UserError if the mirror lacks the digest afterwards.
    """
    source, digest = split(promoted.image)
    target = OciRepository(mirror)
    target.copy_from(source, digest, tag_of(promoted))
    if target.manifest(digest) is None:
        raise UserError(f"{target.name} does not have {digest} after the copy. Copy it again.")
    store_url = Store(store).url
    if store_url.startswith("oci://"):
        bundles = OciRepository(store_url.removeprefix("oci://"))
        # Includes the attachments: a signature is useless without its bundle.
        for tag in bundles.tags(f"{tag_of(promoted)}."):
            target.copy_from(bundles, tag, tag)
