"""Guards of the branches: what may be merged, how, and who may go past that."""

from collections.abc import Iterator

from mlops.doctor.context import APPLY, Seen
from mlops.doctor.findings import Finding, bad, note, ok, unknown
from mlops.github.settings import CHECK

# What is lost without a rule.
MEANING = {
    "pull_request": "a change needs no pull request, no approval, and need not be squashed",
    "required_status_checks": f"a change is merged without {CHECK}",
    "non_fast_forward": "history can be rewritten, and releases name its commits",
    "deletion": "the branch can be deleted",
    "required_linear_history": "a merge commit is no promotion that can be undone",
}
WAYS = ("allow_squash_merge", "allow_merge_commit", "allow_rebase_merge")
# A `[skip ci]` in what a merge says switches off every workflow of it.
WORDS = ("squash_merge_commit_title", "squash_merge_commit_message")


def merging(seen: Seen) -> Iterator[Finding]:
    """Squash is the only way to merge, and what it says is as it was decided."""
    wanted = seen.settings.repository.model_dump()
    if "allow_squash_merge" not in seen.about:
        yield unknown("squash only", "shown to administrators", "give an administrator's token")
        return
    wrong = [key for key in (*WAYS, *WORDS) if seen.about.get(key) != wanted[key]]
    if wrong:
        yield bad("squash only", f"{', '.join(wrong)} not as settings.yaml says", APPLY)
    else:
        yield ok("squash only", "no other way to merge")


def protected(seen: Seen) -> Iterator[Finding]:
    """Every rule of main.json holds on the default branch."""
    for rule in seen.rulesets["main"]["rules"]:
        kind = rule["type"]
        guard, said = f"{seen.branch}: {kind.replace('_', ' ')}", rule.get("parameters", {})
        weak = [key for key, value in said.items() if not seen.demanded(kind, key, value)]
        if kind not in seen.rules:
            yield bad(guard, f"no such rule: {MEANING.get(kind, 'it is not enforced')}", APPLY)
        elif weak:
            yield bad(guard, f"weaker than .github/settings/: {_found(seen, kind, weak)}", APPLY)
        else:
            yield ok(guard, "enforced")


def _found(seen: Seen, kind: str, keys: list[str]) -> str:
    """Return what the rules of a type say instead."""
    said = seen.rules[kind][0].get("parameters", {})
    return ", ".join(f"{key} is {said.get(key)}" for key in keys)


def check_reported(seen: Seen) -> Iterator[Finding]:
    """The required check exists: one that never reports blocks everything, one misspelt nothing."""
    path = f"commits/{seen.branch}/check-runs?check_name={CHECK}"
    if seen.hub.get_all(path):
        yield ok(CHECK, f"it has reported on {seen.branch}")
    else:
        text = f"it has not reported on the newest commit of {seen.branch}"
        yield bad(CHECK, text, "look at the run of ci.yml there; does Actions run at all?")


def queue(seen: Seen) -> Iterator[Finding]:
    """A merge queue, where there is one, asks about every change in it and not the last alone."""
    found = seen.rules.get("merge_queue", ())
    # Each is judged by what it changes itself: a page behind a worse model is green.
    if any(rule["parameters"]["grouping_strategy"] != "ALLGREEN" for rule in found):
        text = "what is red is merged when a change behind it is green"
        yield bad("merge queue", text, "let it only merge non-failing pull requests (ALLGREEN)")
    elif found:
        yield ok("merge queue", "every change in it has to be green")


def past_the_rules(seen: Seen) -> Iterator[Finding]:
    """Nobody may go past the rules of the default branch."""
    rules = [rule for of_a_type in seen.rules.values() for rule in of_a_type]
    ids = {rule["ruleset_id"] for rule in rules if "ruleset_id" in rule}
    found = [rules for number in sorted(ids) if (rules := seen.hub.get(f"rulesets/{number}"))]
    guard = "nobody past them"
    if not found:
        yield bad(guard, f"no ruleset holds on {seen.branch}", APPLY)
        return
    if any("bypass_actors" not in rules for rules in found):
        yield unknown(guard, "shown to those who may write", "give a token that may write")
        return
    modes = [actor["bypass_mode"] for rules in found for actor in rules["bypass_actors"]]
    if set(modes) - {"pull_request"}:
        text = f"{len(modes)} may push to {seen.branch} past every rule"
        yield bad(guard, text, f"take them out of .github/settings/ and: {APPLY}")
    elif modes:
        text = f"{len(modes)} may merge a pull request that the rules refuse"
        yield note(guard, text, "as long as it has to be: machinery/docs/github.md")
    else:
        yield ok(guard, "the rules hold for administrators too")


def staging(seen: Seen) -> Iterator[Finding]:
    """Nobody rewrites the branch whose push starts the load test; an App alone moves it."""
    kinds = {rule["type"] for rule in seen.hub.get_all("rules/branches/staging")}
    missing = {"deletion", "non_fast_forward"} - kinds
    if missing:
        yield bad("branch staging", f"without {', '.join(sorted(missing))}", APPLY)
    elif "update" in kinds:
        yield ok("branch staging", "only the App moves it, forward")
    else:
        text = "whoever may write may move it forward; what is not on main gives no evidence"
        yield note("branch staging", text, f"with a GitHub App (APP_ID): {APPLY}")


def codeowners(seen: Seen) -> Iterator[Finding]:
    """GitHub understands CODEOWNERS, and knows everybody in it."""
    found = seen.hub.get("codeowners/errors")
    if found is None:
        yield bad("CODEOWNERS", "GitHub finds none", "commit .github/CODEOWNERS")
    elif found["errors"]:
        first = found["errors"][0]
        many = len(found["errors"])
        text = f"{many} lines are not understood; line {first['line']}: {first['kind']}"
        yield bad("CODEOWNERS", text, "name people and teams who may write to this repository")
    else:
        yield ok("CODEOWNERS", "GitHub understands every line")
