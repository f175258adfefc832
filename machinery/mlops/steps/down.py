"""Stop what runs for an environment, or for all of them.

Also ends what a killed command left behind, and what ran for an environment whose folder is gone.
Logs and logged predictions stay below build/live/.
"""

import argparse

from mlops.config.options import Option
from mlops.console import say
from mlops.errors import UserError
from mlops.paths import LIVE
from mlops.releases import environments
from mlops.targets import docker, local, target_of

OPTIONS = (Option("--env", "one environment only: a folder below environments/", "NAME"),)


def run(options: argparse.Namespace) -> None:
    """Stop the services and what holds their ports; nothing running is fine."""
    if options.env:
        environment = environments.environment(options.env)
        _say(options.env, target_of(environment).stop(environment))
        return
    problems = [problem for name in environments.folders() if (problem := _stop(name))]
    # What runs here ends, also for environments whose folder is gone or cannot be read.
    for folder in sorted(LIVE.glob("*/")):
        if local.stop_place(folder.name) + docker.stop_place(folder.name):
            say("down", f"{folder.name}: stopped; environments/{folder.name}/ is gone or broken")
    if problems:
        raise UserError("\n".join(["What runs on this machine was stopped, but:", *problems]))


def _stop(name: str) -> str | None:
    """Stop what runs for an environment; return why that could not be done."""
    try:
        environment = environments.read(name)
        _say(name, target_of(environment).stop(environment))
    except UserError as error:
        return str(error)
    return None


def _say(name: str, stopped: bool) -> None:
    say("down", f"{name}: {'stopped' if stopped else 'nothing ran'}")
