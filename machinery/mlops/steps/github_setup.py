"""Apply .github/settings/ to the repository on GitHub: rules, environments, labels, Actions.

Without `--apply` it prints each difference with its reason and changes nothing. A second run has
nothing to do; after a failure another run continues. It also writes the owners into
.github/CODEOWNERS, which you then commit like any other change.
"""

import argparse

from mlops.config.options import Option
from mlops.console import say
from mlops.errors import Refused
from mlops.files import write
from mlops.github import owners, settings
from mlops.github.api import GitHub, GitHubError
from mlops.github.differences import Change, Note, differing, limits

OPTIONS = (
    Option("--apply", "apply the changes; without this they are only printed", switch=True),
    Option(
        "--owners", "people or teams who approve changes, e.g. octocat,our-org/ml-team", "NAMES"
    ),
)
STEP = "setup"


def run(options: argparse.Namespace) -> None:
    """Print the plan, or apply it and check the result."""
    github = GitHub.here()
    expected, rules = settings.settings(), settings.rulesets()
    say(STEP, f"{github.repository} compared with .github/settings/")
    plan = list(differing(github, expected, rules))
    changes = [one for one in plan if isinstance(one, Change)]
    for one in plan:
        _show(one)
    named = _owners(github, options.owners, options.apply)
    notes = f"; {len(plan) - len(changes)} notes above" if len(plan) > len(changes) else ""
    if not options.apply:
        many = len(changes) + named
        text = f'{many} to change: make github-setup ARGS="--apply"' if many else "nothing to do"
        say(STEP, text + notes)
        return
    problems = [problem for change in changes if (problem := _apply(github, change))]
    problems += _unchanged(github, expected, rules) if changes and not problems else []
    if problems:
        raise Refused(
            "\n".join(
                [
                    "these changes failed, all others are done. Mend the causes and run it again:",
                    *problems,
                ]
            )
        )
    say(STEP, (f"{len(changes)} changed" if changes else "nothing to do") + notes)


def _show(one: Change | Note) -> None:
    if isinstance(one, Note):
        say("", f"note    {one.what}: {one.text}")
        return
    say("", f"change  {one.what}: {one.why}")
    say("", f"        now:  {one.now}")
    say("", f"        then: {one.then}")


def _apply(github: GitHub, change: Change) -> str | None:
    """Send the requests of a change; return the error, None if there was none."""
    try:
        for method, path, body in change.sends:
            github.send(method, path, body)
    except GitHubError as error:
        return f"  {change.what}: {error} {limits(github, error)}".rstrip()
    say("", f"done    {change.what}")
    return None


def _unchanged(
    github: GitHub, expected: settings.RepositorySettings, rules: list[settings.Ruleset]
) -> list[str]:
    """Return the changes that GitHub accepted without an error but did not apply."""
    again = differing(github, expected, rules)
    return [f"  {one.what}: GitHub kept {one.now}" for one in again if isinstance(one, Change)]


def _owners(github: GitHub, named: str | None, apply: bool) -> int:
    """Write the owners into CODEOWNERS and return the number of changed files."""
    waiting = owners.waiting()
    if not waiting:
        return 0
    names = tuple(name.strip().lstrip("@") for name in (named or "").split(",") if name.strip())
    names = names or _one_person(github)
    if not names:
        text = "an organisation cannot be an owner, a team can: --owners our-org/ml-team"
        say("", f"note    {settings.CODEOWNERS}: nobody approves {len(waiting)} paths; {text}")
        return 0
    text = owners.with_owners(names)
    shown = ", ".join(names)
    if apply:
        write(settings.CODEOWNERS, text)
        say("", f"done    {settings.CODEOWNERS} names {shown}: commit it in a pull request")
    else:
        say("", f"change  {settings.CODEOWNERS}: {shown} approves {len(waiting)} paths")
    return 1


def _one_person(github: GitHub) -> tuple[str, ...]:
    about = github.get("") or {}
    owner = about.get("owner", {})
    return (owner["login"],) if owner.get("type") == "User" else ()
