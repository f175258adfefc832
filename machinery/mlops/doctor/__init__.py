"""Check every guard: on this machine, in the tree, and on GitHub."""

from collections.abc import Callable, Iterator

from mlops.doctor import automation, branches, clusters, environments, machine, tree
from mlops.doctor.context import Context
from mlops.doctor.findings import GuardResult, bad, unknown
from mlops.errors import UserError
from mlops.github.api import GitHubError

Check = Callable[[Context], Iterator[GuardResult]]

HERE: tuple[Check, ...] = (
    machine.git_found,
    machine.python,
    machine.packages,
    tree.owners_named,
    tree.environment_names,
    tree.signatures,
    tree.store,
    clusters.clusters,
)
ON_GITHUB: tuple[Check, ...] = (
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


def examine(context: Context) -> Iterator[GuardResult]:
    """Yield the result of every guard; a guard that cannot be checked is unknown, never ok."""
    checks = HERE if context.github is None else (*HERE, *ON_GITHUB)
    for check in checks:
        try:
            yield from check(context)
        except GitHubError as error:
            if not error.status:
                # GitHub was not reached, so every other check would fail too.
                yield unknown("GitHub", str(error), "run it again with a network")
                return
            yield unknown(_name(check), str(error), "use a token with access to it")
        except UserError as error:
            yield bad(_name(check), str(error).replace("\n", " "), "mend what it names")
    if context.github is None:
        yield unknown("GitHub", context.why, f"{len(ON_GITHUB)} guards there were not checked")


def _name(check: Check) -> str:
    return check.__name__.replace("_", " ")
