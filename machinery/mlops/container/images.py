"""The image of a release: built from its bundle, labelled with what that is, held to its labels."""

import json
import os
import tempfile
from pathlib import Path

from mlops import git
from mlops.config.params import Params
from mlops.container import engine
from mlops.container.registry import Repository
from mlops.errors import Refused, UserError
from mlops.paths import BUILD
from mlops.releases import bundle
from mlops.releases.release import Image, Promoted
from mlops.releases.store import Store

# Where it is set, nothing in the files is: an image is the same wherever it is kept.
VARIABLE = "MLOPS_REGISTRY"


def repository(params: Params) -> Repository | None:
    """Return where images are pushed: as told, else beside the bundles; None for a folder."""
    told = os.environ.get(VARIABLE) or params.registry
    store = Store(params.store).url
    if told is None and store.startswith("oci://"):
        told = store.removeprefix("oci://")
    return None if told is None else Repository(told)


def tag_of(promoted: Promoted) -> str:
    """Return the tag of a release's image: one bundle, one image."""
    return promoted.bundle.digest.removeprefix("sha256:")


def held_to(promoted: Promoted) -> dict[str, str]:
    """Return the labels that make an image this release's, by names of the OCI where it has one."""
    return {
        "org.opencontainers.image.revision": promoted.source.commit,
        "mlops.releases.bundle.digest": promoted.bundle.digest,
        "mlops.model.digest": promoted.model.digest,
        "mlops.data.fingerprint": promoted.data.fingerprint,
    }


def labels_of(promoted: Promoted) -> dict[str, str]:
    """Return all that an image says of itself."""
    made = git.commit_time(promoted.source.commit)
    labels = {
        **held_to(promoted),
        "org.opencontainers.image.title": promoted.model.name,
        "org.opencontainers.image.version": f"{made[:10]}-{tag_of(promoted)[:12]}",
        "org.opencontainers.image.created": made,
    }
    if promoted.source.repository:
        # By this, GitHub ties a package to its repository.
        url = f"https://github.com/{promoted.source.repository}"
        labels["org.opencontainers.image.source"] = url
    return labels


def build(promoted: Promoted, packed: Path, name: str) -> None:
    """Build the image of a packed bundle into the engine's own images, under a name."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".image.", dir=BUILD) as scratch:
        # Afresh: what runs from an unpacked bundle leaves Python's caches in it. And named by it:
        # in a folder whose name it knows, buildx takes a file for the one that it has when size and
        # time are equal, and all times in bundles are.
        folder = bundle.unpack(packed, promoted.bundle.digest, Path(scratch) / tag_of(promoted))
        made = json.loads((folder / "src/record.json").read_text(encoding="utf-8"))
        file = folder / "env/docker/Dockerfile"
        python = ".".join(made["environment"]["python"].split(".")[:2])
        options = {"file": str(file), "tag": name, "build-arg": f"PYTHON={python}"}
        labels = [f"--label={key}={value}" for key, value in labels_of(promoted).items()]
        engine.docker(
            "build",
            *(f"--{option}={value}" for option, value in options.items()),
            *labels,
            str(folder),
            what=f"The image of {promoted.bundle.digest[:19]} could not be built. What docker said",
        )
    if engine.image(name) is None:
        raise UserError(
            f"{name} was built, but the engine does not hold it: the builder that BUILDX_BUILDER "
            "or `docker buildx install` chose keeps what it builds. Unset BUILDX_BUILDER, or "
            "`docker buildx uninstall`, and build again."
        )


def push(where: Repository, tag: str) -> str:
    """Push what the engine holds as `where:tag`, and return the digest the registry knows it by."""
    name = f"{where.name}:{tag}"
    engine.docker(
        "push",
        "--quiet",
        name,
        what=f"{name} could not be pushed. `docker login {where.host}` as somebody who may write "
        "there. What docker said",
    )
    digests = (engine.image(name) or {}).get("RepoDigests") or []
    found = next((one for one in digests if one.startswith(f"{where.name}@")), "@")
    digest = found.partition("@")[2]
    if not digest or where.manifest(digest) is None:
        raise UserError(f"{name} was pushed, but {where.name} does not have it. Push it again.")
    return digest


def in_registry(where: Repository, reference: str, promoted: Promoted) -> Image | None:
    """Return the image that a tag or digest names if it is the release's, None where there is none.

    Raises Refused where its labels tell of another commit, model, bundle or data.
    """
    manifest = where.manifest(reference)
    found = manifest and where.image(manifest.digest)
    if not found:
        return None
    require(f"{where.name}@{manifest.digest}", found.get("config", {}).get("Labels"), promoted)
    ref = f"{where.name}@{manifest.digest}"
    return Image(ref=ref, platform=f"{found['os']}/{found['architecture']}")


def require(ref: str, labels: dict[str, str] | None, promoted: Promoted) -> None:
    """Raise Refused unless an image's labels say what the release says."""
    found = labels or {}
    told = "; ".join(
        f"{name} is {found.get(name, 'missing')}, not {wanted}"
        for name, wanted in held_to(promoted).items()
        if found.get(name) != wanted
    )
    if told:
        raise Refused(
            f"{ref} is not the image of this release: {told}. Nothing was changed. `make package "
            "image` at the release's commit makes the right one."
        )


def split(image: Image) -> tuple[Repository, str]:
    """Return the repository of a release's image and its digest."""
    name, _, digest = image.ref.partition("@")
    return Repository(name), digest


def at(image: Image, mirror: str | None) -> Image:
    """Return a release's image as an environment's own registry has it: the same digest."""
    if mirror is None:
        return image
    return image.model_copy(update={"ref": f"{Repository(mirror).name}@{split(image)[1]}"})


def copy(promoted: Promoted, mirror: str, store: str) -> None:
    """Copy the image and the bundle of a release to another registry, all bytes as they are.

    What is there already stays. Raises UserError where the digest is another afterwards.
    """
    source, digest = split(promoted.image)
    to = Repository(mirror)
    to.take(source, digest, tag_of(promoted))
    if to.manifest(digest) is None:
        raise UserError(f"{to.name} does not have {digest} after it was copied. Copy it again.")
    bundles = Store(store).url
    if bundles.startswith("oci://"):
        kept = Repository(bundles.removeprefix("oci://"))
        # With what is attached to it: a signature is of no use where the bundle is not.
        for tag in kept.tags(f"{tag_of(promoted)}."):
            to.take(kept, tag, tag)
