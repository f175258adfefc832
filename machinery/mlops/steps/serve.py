"""Serve the newest release built here: its image if there is one, else the bundle.

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
    """Replace this process by the service; raises UserError if there is no release."""
    release = environments.built()
    folder = bundle.fetch(Store(contract.params().store), release.promoted.bundle.digest)
    command, environ = _command(release, folder)
    _print_address(release, folder)
    # Replaces this process, so that the service itself handles Ctrl-C and other signals.
    os.execvpe(command[0], command, {**os.environ, **environ})


def _command(release: Release, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves the release, and its variables."""
    variables = {"MLOPS_RELEASE_ID": release.release_id}
    image = _image(release)
    if image:
        say("serve", f"the image {image}")
        options = [f"--env={name}={value}" for name, value in variables.items()]
        options += ["--rm", f"--publish={HOST}:{PORT}:{PORT}"]
        return ["docker", "run", *options, *RESTRICTIONS, image], {}
    say("serve", f"the bundle {folder}: this machine has no image of it (`make image`)")
    command = [sys.executable, "-m", "bentoml", "serve", str(folder.resolve())]
    home = {"BENTOML_HOME": str((BUILD / "serve").resolve()), "OTEL_SDK_DISABLED": "true"}
    return [*command, "--host", HOST, "--port", str(PORT)], {**variables, **home}


def _image(release: Release) -> str | None:
    """Return the name of the release's image if the local engine has it."""
    pinned, name = release.promoted.image, release.promoted.model.name
    pinned_refs = [pinned.ref] if pinned else []
    try:
        refs = [*pinned_refs, f"{name}:{images.tag_of(release.promoted)[:12]}"]
        return next((ref for ref in refs if engine.image(ref)), None)
    except UserError:
        # Without an engine the bundle is served.
        return None


def _print_address(release: Release, folder: Path) -> None:
    schema = json.loads((folder / "src/schema.json").read_text(encoding="utf-8"))
    body = shlex.quote(json.dumps({"rows": schema["examples"][:1]}))
    url = f"http://{HOST}:{PORT}"
    say("serve", f"{release.release_id} at {url}; Ctrl-C stops it")
    say("", f"curl {url}/predict -H 'content-type: application/json' -d {body}")
