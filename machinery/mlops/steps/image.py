"""Build the image of the bundle, push it, and seal the release again with its digest.

It is pushed to the repository in MLOPS_REGISTRY or params.yaml's `registry`, else beside the
bundles if the store is a registry. Without any of these the image stays in the local engine and
the release stays unchanged: a release pins only an image that others can pull.
"""

import argparse

from mlops.ci import actions
from mlops.config.params import AnyModel, load_params
from mlops.console import Timer, say
from mlops.container import engine, images
from mlops.container.registry import OciRepository
from mlops.paths import RELEASE
from mlops.releases import environments
from mlops.releases.release import Image, Release, new_release, write_release
from mlops.releases.store import Store


def run(_: argparse.Namespace) -> None:
    """Build, push and seal; an image that is in the registry already is checked and used."""
    release = environments.built()
    params, timer = load_params(AnyModel), Timer()
    repository = images.repository(params)
    if repository is None:
        _build_here(release, Store(params.store))
        return
    image = _pushed(release, repository, Store(params.store))
    sealed = _seal(release, image)
    write_release(RELEASE, sealed)
    say("image", f"{image.ref}, {image.platform}")
    say("image", f"release {sealed.release_id} ({timer.seconds:.1f} s)")
    actions.output("image", image.ref)


def _build_here(release: Release, store: Store) -> None:
    timer, name = Timer(), f"{release.promoted.model.name}:{images.tag_of(release.promoted)[:12]}"
    images.build(release.promoted, store.fetch(release.promoted.bundle.digest), name)
    size = engine.image(name)["Size"] / 1e6
    say("image", f"{name}, {size:.0f} MB, in the local engine ({timer.seconds:.1f} s)")
    say(
        "",
        f"the release has no image: set {images.REGISTRY_VARIABLE} to a registry to pin one there",
    )


def _pushed(release: Release, repository: OciRepository, store: Store) -> Image:
    """Return the release's image in the registry; it is built and pushed if it is not there."""
    promoted, tag = release.promoted, images.tag_of(release.promoted)
    image = images.find_image(repository, tag, promoted)
    if image:
        say("image", f"already in {repository.name}")
        return image
    images.build(promoted, store.fetch(promoted.bundle.digest), f"{repository.name}:{tag}")
    return images.find_image(repository, images.push(repository, tag), promoted)


def _seal(release: Release, image: Image) -> Release:
    """Return the release with the image in its sealed block, and so with a new id."""
    promoted = release.promoted.model_copy(update={"image": image})
    return new_release(promoted, release.spec.evidence)
