"""Make the repository on GitHub what .github/settings/ says: rules, environments, labels, Actions.

Shows what differs and why it matters, and changes nothing without `--apply`. Applied again it
finds nothing to do; after a failure what was done stays done, and it goes on from there.
Also names the owners in .github/CODEOWNERS, which is then committed like any other change.
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
    Option("--apply", "change it; without this the plan is shown", switch=True),
    Option("--owners", "who approves: people or teams, e.g. octocat,our-org/ml-team", "NAMES"),
)
STEP = "setup"


def run(options: argparse.Namespace) -> None:
    """Show the plan, or carry it out and look again."""
    github = GitHub.here()
    wanted, rules = settings.settings(), settings.rulesets()
    say(STEP, f"{github.repository}, as .github/settings/ says")
    plan = list(differing(github, wanted, rules))
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
    problems += _left(github, wanted, rules) if changes and not problems else []
    if problems:
        raise Refused(
            "\n".join(["not all could be done; the rest is. Run it again after:", *problems])
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
    """Send what a change takes; return why that failed."""
    try:
        for method, path, body in change.sends:
            github.send(method, path, body)
    except GitHubError as error:
        return f"  {change.what}: {error} {limits(github, error)}".rstrip()
    say("", f"done    {change.what}")
    return None


def _left(github: GitHub, wanted: settings.Settings, rules: list[settings.Ruleset]) -> list[str]:
    """Return what GitHub took without a word and did not do."""
    again = differing(github, wanted, rules)
    return [f"  {one.what}: GitHub kept {one.now}" for one in again if isinstance(one, Change)]


def _owners(github: GitHub, named: str | None, apply: bool) -> int:
    """Put the owners into CODEOWNERS, and return how many files that changes."""
    waiting = owners.waiting()
    if not waiting:
        return 0
    names = tuple(name.strip().lstrip("@") for name in (named or "").split(",") if name.strip())
    names = names or _one_person(github)
    if not names:
        text = "an organisation owns nothing by itself: --owners our-org/ml-team"
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
    found = github.get("") or {}
    owner = found.get("owner", {})
    return (owner["login"],) if owner.get("type") == "User" else ()
