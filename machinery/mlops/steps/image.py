"""Build the image of the bundle, push it, and seal the release anew with its digest.

It is pushed to the repository that MLOPS_REGISTRY or params.yaml's `registry` names, else beside
the bundles when the store is a registry. Without either it stays in the local engine, and the
release as it was: a release pins what others can pull.
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
    """Build, push and seal; what is there already is looked at and left."""
    release = environments.built()
    params, timer = load_params(AnyModel), Timer()
    where = images.repository(params)
    if where is None:
        _keep_here(release, Store(params.store))
        return
    image = _pushed(release, where, Store(params.store))
    sealed = _seal(release, image)
    write_release(RELEASE, sealed)
    say("image", f"{image.ref}, {image.platform}")
    say("image", f"release {sealed.release_id} ({timer.seconds:.1f} s)")
    actions.output("image", image.ref)


def _keep_here(release: Release, store: Store) -> None:
    timer, name = Timer(), f"{release.promoted.model.name}:{images.tag_of(release.promoted)[:12]}"
    images.build(release.promoted, store.fetch(release.promoted.bundle.digest), name)
    size = engine.image(name)["Size"] / 1e6
    say("image", f"{name}, {size:.0f} MB, in the local engine ({timer.seconds:.1f} s)")
    say(
        "",
        f"the release stays without: set {images.REGISTRY_VARIABLE} to a registry to pin it there",
    )


def _pushed(release: Release, where: OciRepository, store: Store) -> Image:
    """Return the release's image in the registry, after building and pushing it if need be."""
    promoted, tag = release.promoted, images.tag_of(release.promoted)
    found = images.find_image(where, tag, promoted)
    if found:
        say("image", f"already in {where.name}")
        return found
    images.build(promoted, store.fetch(promoted.bundle.digest), f"{where.name}:{tag}")
    return images.find_image(where, images.push(where, tag), promoted)


def _seal(release: Release, image: Image) -> Release:
    """Return the release with the image in its sealed block, under the id that follows."""
    promoted = release.promoted.model_copy(update={"image": image})
    return new_release(promoted, release.spec.evidence)
