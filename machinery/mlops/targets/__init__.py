"""Where releases run: one module a kind of place, each offering what `Target` asks.

An environment's settings.yaml names its target; everything else about that place is the target's
own business. A target answers for what really runs, not for what it was told to run.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from mlops.errors import UserError

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

TARGETS = ("local", "docker", "kubernetes")


@dataclass(frozen=True)
class Live:
    """What an environment really serves: asked of the service itself, at its public address."""

    release_id: str
    url: str
    since: str


class Target(Protocol):
    """A place that releases are deployed to."""

    def deploy(
        self, environment: "Environment", release_id: str, bundle: Path, ready_seconds: float
    ) -> Live:
        """Make an environment serve a release from its unpacked bundle, and verify that it does.

        What served before keeps serving until the new release is ready, and goes on serving if it
        never is. Running it again after a kill at any moment converges to the same state. Raises
        Refused when the release does not become ready, UserError for a mistake in the settings.
        """

    def live(self, environment: "Environment") -> Live | None:
        """Return what answers for an environment now; None where nothing does."""

    def stop(self, environment: "Environment") -> bool:
        """Stop all that runs for an environment; return whether anything did."""


def target_of(environment: "Environment") -> Target:
    """Return the target that an environment's settings name."""
    name = environment.settings.target
    if name not in TARGETS:
        raise UserError(
            f"environments/{environment.name}/settings.yaml: target is {name!r}. "
            f"There are {', '.join(TARGETS)}; machinery/docs/deploy.md says how to add one."
        )
    return cast(Target, importlib.import_module(f"{__name__}.{name}"))
