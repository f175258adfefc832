"""Stop the services of an environment, or of all of them.

Also stops the leftovers of a killed command, and services of an environment whose folder is gone.
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
    """Stop the services and their proxies; it is no error if nothing runs."""
    if options.env:
        environment = environments.environment(options.env)
        _report(options.env, target_of(environment).stop(environment))
        return
    problems = [problem for name in environments.folders() if (problem := _stop(name))]
    # Services also run for environments whose folder is gone or cannot be read.
    for folder in sorted(LIVE.glob("*/")):
        if local.stop_all(folder.name) + docker.stop_all(folder.name):
            say("down", f"{folder.name}: stopped; environments/{folder.name}/ is gone or broken")
    if problems:
        raise UserError("\n".join(["All services on this machine were stopped, but:", *problems]))


def _stop(name: str) -> str | None:
    """Stop the services of an environment; return the error if that failed."""
    try:
        environment = environments.read(name)
        _report(name, target_of(environment).stop(environment))
    except UserError as error:
        return str(error)
    return None


def _report(name: str, stopped: bool) -> None:
    say("down", f"{name}: {'stopped' if stopped else 'nothing ran'}")
