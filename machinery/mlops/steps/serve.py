"""Serve what was packed last here: its image where there is one, else the bundle.

Prints the address and a request to try; Ctrl-C stops it.
"""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from mlops.console import say
from mlops.container import engine, images
from mlops.errors import UserError
from mlops.paths import BUILD
from mlops.releases import bundle, environments
from mlops.releases.release import Release
from mlops.releases.store import Store
from mlops.targets.docker import PORT, RESTRICTIONS
from mlops.training import contract

HOST = "127.0.0.1"


def run(_: argparse.Namespace) -> None:
    """Become the service; raises UserError where there is nothing to serve."""
    release = environments.built()
    folder = bundle.fetch(Store(contract.params().store), release.promoted.bundle.digest)
    command, environ = _command(release, folder)
    _tell(release, folder)
    # In its place, so that Ctrl-C and what else ends it are its own to answer.
    os.execvpe(command[0], command, {**os.environ, **environ})


def _command(release: Release, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return what serves the release, and the variables it is given."""
    told = {"MLOPS_RELEASE_ID": release.release_id}
    image = _image(release)
    if image:
        say("serve", f"the image {image}")
        values = [f"--env={name}={value}" for name, value in told.items()]
        place = ["--rm", f"--publish={HOST}:{PORT}:{PORT}"]
        return ["docker", "run", *place, *RESTRICTIONS, *values, image], {}
    say("serve", f"the bundle {folder}: no image of it is here (`make image`)")
    command = [sys.executable, "-m", "bentoml", "serve", str(folder.resolve())]
    home = {"BENTOML_HOME": str((BUILD / "serve").resolve()), "OTEL_SDK_DISABLED": "true"}
    return [*command, "--host", HOST, "--port", str(PORT)], {**told, **home}


def _image(release: Release) -> str | None:
    """Return the name of the release's image if the engine here holds it."""
    pinned, name = release.promoted.image, release.promoted.model.name
    known = [pinned.ref] if pinned else []
    try:
        names = [*known, f"{name}:{images.tag_of(release.promoted)[:12]}"]
        return next((one for one in names if engine.image(one)), None)
    except UserError:
        # Without an engine the bundle serves as well.
        return None


def _tell(release: Release, folder: Path) -> None:
    schema = json.loads((folder / "src/schema.json").read_text(encoding="utf-8"))
    body = shlex.quote(json.dumps({"rows": schema["examples"][:1]}))
    url = f"http://{HOST}:{PORT}"
    say("serve", f"{release.release_id} at {url}; Ctrl-C stops it")
    say("", f"curl {url}/predict -H 'content-type: application/json' -d {body}")
