"""The targets that releases are deployed to: one module each, with the functions of `Target`.

An environment's settings.yaml names its target. A target reports what really runs, not what it was
asked to run.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from mlops.errors import UserError

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

TARGETS = ("local", "docker", "kubernetes")


@dataclass(frozen=True)
class Live:
    """What an environment serves, as the service itself reports it at its public address."""

    release_id: str
    url: str
    since: str


# Raises Refused if the release may no longer be deployed.
Confirm = Callable[[], None]


class Target(Protocol):
    """The functions that each target module offers."""

    def deploy(
        self,
        environment: "Environment",
        release_id: str,
        bundle: Path,
        ready_seconds: float,
        confirm: Confirm = lambda: None,
    ) -> Live:
        """Make an environment serve a release from its unpacked bundle, and verify that it does.

        The live release keeps serving until the new one is ready, also if that never happens.
        `confirm` is called when no other deployment of the environment can run, before anything
        changes: a rollback may have finished since the release was checked.
        Run again after a kill at any moment, it reaches the same state. Raises Refused if the
        release does not become ready, UserError for a mistake in the settings.
        """

    def live(self, environment: "Environment") -> Live | None:
        """Return what answers for an environment now; None if nothing does."""

    def stop(self, environment: "Environment") -> bool:
        """Stop the services of an environment; return whether any ran."""


def target_of(environment: "Environment") -> Target:
    """Return the target that an environment's settings name."""
    name = environment.settings.target
    if name not in TARGETS:
        raise UserError(
            f"environments/{environment.name}/settings.yaml: target is {name!r}. "
            f"There are {', '.join(TARGETS)}; machinery/docs/deploy.md describes how to add one."
        )
    return cast(Target, importlib.import_module(f"{__name__}.{name}"))
