"""Stop what runs for an environment, or for all of them.

Also ends what a killed command left behind, and what ran for an environment whose folder is gone.
Logs and logged predictions stay below build/live/.
"""

import argparse

from mlops import environments
from mlops.console import say
from mlops.options import Option
from mlops.paths import LIVE
from mlops.targets import local, target_of

OPTIONS = (Option("--env", "one environment only: a folder below environments/", "NAME"),)


def run(options: argparse.Namespace) -> None:
    """Stop the services and what holds their ports; nothing running is fine."""
    known = environments.names() if options.env is None else [options.env]
    for name in known:
        environment = environments.environment(name)
        stopped = target_of(environment).stop(environment)
        say("down", f"{name}: {'stopped' if stopped else 'nothing ran'}")
    if options.env is None:
        for folder in sorted(LIVE.glob("*/")):
            if folder.name not in known and local.stop_place(folder.name):
                say("down", f"{folder.name}: stopped; environments/{folder.name}/ is gone")
