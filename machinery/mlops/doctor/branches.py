"""Checks of the branches: what may be merged, how, and who may bypass the rules."""

from collections.abc import Iterator

from mlops.doctor.context import APPLY, Context
from mlops.doctor.findings import GuardResult, bad, note, ok, unknown
from mlops.github.settings import CHECK

# The consequence of a missing rule.
MEANING = {
    "pull_request": "a change needs no pull request, no approval, and need not be squashed",
    "required_status_checks": f"a change is merged without {CHECK}",
    "non_fast_forward": "history can be rewritten, and releases name its commits",
    "deletion": "the branch can be deleted",
    "required_linear_history": "a merge commit is no promotion that can be undone",
}
WAYS = ("allow_squash_merge", "allow_merge_commit", "allow_rebase_merge")
# A `[skip ci]` in the message of a merge switches off all its workflows.
MESSAGE = ("squash_merge_commit_title", "squash_merge_commit_message")


def merging(context: Context) -> Iterator[GuardResult]:
    """Check that squash is the only way to merge, with the message that settings.yaml sets."""
    expected = context.settings.repository.model_dump()
    if "allow_squash_merge" not in context.about:
        yield unknown("squash only", "shown to administrators", "use an administrator's token")
        return
    wrong = [key for key in (*WAYS, *MESSAGE) if context.about.get(key) != expected[key]]
    if wrong:
        yield bad("squash only", f"{', '.join(wrong)} not as settings.yaml sets them", APPLY)
    else:
        yield ok("squash only", "no other way to merge")


def protected(context: Context) -> Iterator[GuardResult]:
    """Check that every rule of main.json is active on the default branch."""
    for rule in context.rulesets["main"]["rules"]:
        kind = rule["type"]
        guard, parameters = f"{context.branch}: {kind.replace('_', ' ')}", rule.get(
            "parameters", {}
        )
        weak = [
            key for key, value in parameters.items() if not context.is_required(kind, key, value)
        ]
        if kind not in context.rules:
            yield bad(guard, f"no such rule: {MEANING.get(kind, 'it is not enforced')}", APPLY)
        elif weak:
            yield bad(
                guard, f"weaker than .github/settings/: {_actual(context, kind, weak)}", APPLY
            )
        else:
            yield ok(guard, "enforced")


def _actual(context: Context, kind: str, keys: list[str]) -> str:
    """Return the parameters of the rules on GitHub."""
    parameters = context.rules[kind][0].get("parameters", {})
    return ", ".join(f"{key} is {parameters.get(key)}" for key in keys)


def check_reported(context: Context) -> Iterator[GuardResult]:
    """Check that the required check has reported: one that never does blocks every merge."""
    path = f"commits/{context.branch}/check-runs?check_name={CHECK}"
    if context.hub.get_all(path):
        yield ok(CHECK, f"it has reported on {context.branch}")
    else:
        text = f"it has not reported on the newest commit of {context.branch}"
        yield bad(CHECK, text, "look at the run of ci.yml there, and check that Actions is enabled")


def queue(context: Context) -> Iterator[GuardResult]:
    """Check that a merge queue, if there is one, tests every change and not only the last."""
    rules = context.rules.get("merge_queue", ())
    # Each entry is judged by its own change: a page queued behind a worse model is green.
    if any(rule["parameters"]["grouping_strategy"] != "ALLGREEN" for rule in rules):
        text = "a red change is merged if the change behind it is green"
        yield bad("merge queue", text, "let it only merge non-failing pull requests (ALLGREEN)")
    elif rules:
        yield ok("merge queue", "every change in it has to be green")


def past_the_rules(context: Context) -> Iterator[GuardResult]:
    """Check that nobody may bypass the rules of the default branch."""
    rules = [rule for of_a_type in context.rules.values() for rule in of_a_type]
    ids = {rule["ruleset_id"] for rule in rules if "ruleset_id" in rule}
    details = (context.hub.get(f"rulesets/{number}") for number in sorted(ids))
    rulesets = [ruleset for ruleset in details if ruleset]
    guard = "nobody past them"
    if not rulesets:
        yield bad(guard, f"no ruleset holds on {context.branch}", APPLY)
        return
    if any("bypass_actors" not in ruleset for ruleset in rulesets):
        yield unknown(guard, "shown to those who may write", "use a token with write access")
        return
    modes = [actor["bypass_mode"] for ruleset in rulesets for actor in ruleset["bypass_actors"]]
    if set(modes) - {"pull_request"}:
        text = f"{len(modes)} may push to {context.branch} past every rule"
        yield bad(guard, text, f"take them out of .github/settings/ and: {APPLY}")
    elif modes:
        text = f"{len(modes)} may merge a pull request that the rules refuse"
        yield note(guard, text, "remove them when you can: machinery/docs/github.md")
    else:
        yield ok(guard, "the rules hold for administrators too")


def staging(context: Context) -> Iterator[GuardResult]:
    """Check that nobody can rewrite branch staging, and that only an App moves it forward."""
    kinds = {rule["type"] for rule in context.hub.get_all("rules/branches/staging")}
    missing = {"deletion", "non_fast_forward"} - kinds
    if missing:
        yield bad("branch staging", f"without {', '.join(sorted(missing))}", APPLY)
    elif "update" in kinds:
        yield ok("branch staging", "only the App moves it, forward")
    else:
        text = "everybody with write access may move it; only commits on main give evidence"
        yield note("branch staging", text, f"with a GitHub App (APP_ID): {APPLY}")


def codeowners(context: Context) -> Iterator[GuardResult]:
    """Check that GitHub finds no error in CODEOWNERS."""
    report = context.hub.get("codeowners/errors")
    if report is None:
        yield bad("CODEOWNERS", "GitHub finds none", "commit .github/CODEOWNERS")
    elif report["errors"]:
        first = report["errors"][0]
        many = len(report["errors"])
        text = f"{many} lines are not understood; line {first['line']}: {first['kind']}"
        yield bad("CODEOWNERS", text, "name people and teams who may write to this repository")
    else:
        yield ok("CODEOWNERS", "GitHub understands every line")
