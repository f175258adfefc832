"""The guards, looked at one by one: on this machine, in the tree, and on GitHub."""

from collections.abc import Callable, Iterator

from mlops.doctor import automation, branches, clusters, environments, machine, tree
from mlops.doctor.context import Seen
from mlops.doctor.findings import Finding, bad, unknown
from mlops.errors import UserError
from mlops.github.api import GitHubError

Look = Callable[[Seen], Iterator[Finding]]

HERE: tuple[Look, ...] = (
    machine.git_found,
    machine.python,
    machine.packages,
    tree.owners_named,
    tree.environment_names,
    tree.signatures,
    tree.store,
    clusters.clusters,
)
ON_GITHUB: tuple[Look, ...] = (
    branches.merging,
    branches.protected,
    branches.check_reported,
    branches.queue,
    branches.past_the_rules,
    branches.staging,
    branches.codeowners,
    environments.environments,
    environments.strays,
    environments.approval,
    automation.permissions,
    automation.actions,
    automation.secrets,
    automation.app,
    automation.variables,
    automation.schedules,
    automation.runner_group,
    automation.cml,
)


def examine(seen: Seen) -> Iterator[Finding]:
    """Yield what is found about every guard; one that cannot be looked at is unknown, never ok."""
    looks = HERE if seen.github is None else (*HERE, *ON_GITHUB)
    for look in looks:
        try:
            yield from look(seen)
        except GitHubError as error:
            if not error.status:
                # Nor would the others reach it.
                yield unknown("GitHub", str(error), "run it again with a network")
                return
            yield unknown(_name(look), str(error), "give a token that may see it")
        except UserError as error:
            yield bad(_name(look), str(error).replace("\n", " "), "mend what it names")
    if seen.github is None:
        yield unknown("GitHub", seen.why, f"{len(ON_GITHUB)} guards there were not looked at")


def _name(look: Look) -> str:
    return look.__name__.replace("_", " ")
