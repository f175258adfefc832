"""Rules about commits and branches: what one may change, and what it is based on."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlops.releases.quarantine import QUARANTINE
from mlops.releases.release import CATALOGUE, Release, catalogue_path, release_file
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.rule import PromotionRule, Refusal

ALONE = PromotionRule(
    "P117",
    "One promotion or rollback runs at a time.",
    "{what}.",
    "Wait until the other one ends, then run this again: it continues from the result.",
)


def check_head(base: str, head: str) -> Iterator[Refusal]:
    """Refuse to commit after HEAD moved away from the commit that the files are based on."""
    if head != base:
        yield ALONE.refuse(what=f"HEAD moved from {base[:12]} to {head[:12]} while this ran")


SCOPE = PromotionRule(
    "P130",
    "A promotion changes one release.yaml and its own files; no other change touches these.",
    "{detail}",
    "Remove that change. `make promote` commits a promotion, `make rollback` a rollback; settings, "
    "policies and code are changed by pull requests of their own.",
)

# A, M or D (added, modified, deleted) for each changed file.
ChangedFiles = Mapping[Path, str]


def check_scope(
    changed: ChangedFiles, moved: Sequence[str], release: Release | None
) -> Iterator[Refusal]:
    """Refuse a promotion that changes other files, and other changes of a promotion's files.

    `moved` are the environments with another release, `release` is the new one if there is one.
    """
    if len(moved) > 1:
        yield SCOPE.refuse(detail=f"It decides the releases of {', '.join(moved)}, not of one.")
        return
    if moved and release is None:
        yield SCOPE.refuse(detail=f"It takes the release away from {moved[0]}.")
        return
    if moved:
        own = _own_files(moved[0], release)
        others = [path.as_posix() for path in changed if changed[path] not in own.get(path, "")]
        text = f"Beside {release_file(moved[0])} it changes {', '.join(others)}."
    else:
        others = [path.as_posix() for path in changed if CATALOGUE in path.parents]
        text = f"It promotes nothing, but changes {', '.join(others)}."
    if others:
        yield SCOPE.refuse(detail=text)


def _own_files(environment: str, release: Release) -> dict[Path, str]:
    """Return the files that a promotion or rollback may change, and how."""
    own = {release_file(environment): "AM", catalogue_path(release.release_id): "A"}
    if release.spec.rollback:
        own[QUARANTINE] = "AM"
    return own


LIFTED = PromotionRule(
    "P135",
    "A pull request that lifts a quarantine changes nothing else.",
    "It removes or weakens the entry of {freed}, and also changes {others}.",
    "Put back that part of environments/quarantine.yaml: `git checkout BASE -- "
    "environments/quarantine.yaml`. To lift the quarantine, open a pull request that changes only "
    "this file and gives the reason.",
)


def check_lifted(changed: ChangedFiles, lifted: Sequence[str]) -> Iterator[Refusal]:
    """Refuse other changes beside that of an entry in quarantine.

    A conflict that is resolved in passing must not let a release back.
    """
    others = sorted(path.as_posix() for path in changed if path != QUARANTINE)
    if lifted and others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        yield LIFTED.refuse(freed=", ".join(lifted), others=", ".join(others[:3]) + more)


def check_quarantine_change(facts: Facts) -> Iterator[Refusal]:
    """Refuse a rollback that changes the quarantine beyond adding the release it replaces."""
    if not facts.is_rollback:
        return
    before = {entry.release_id for entry in facts.base.quarantine}
    after = {entry.release_id for entry in facts.quarantine}
    if before - after:
        freed = ", ".join(sorted(before - after))
        yield SCOPE.refuse(detail=f"It takes {freed} out of quarantine.")
    replaced = facts.release.spec.supersedes
    if others := sorted(after - before - {replaced}):
        text = f"It quarantines {', '.join(others)} beside {replaced}, which it replaces."
        yield SCOPE.refuse(detail=text)
    if replaced not in after:
        yield SCOPE.refuse(detail=f"It does not quarantine {replaced}, which it replaces.")


ON_BASE = PromotionRule(
    "P131",
    "A proposal and its evidence are based on the branch that takes them.",
    "{commit} is not part of {base}, so neither are the files that this is based on.",
    "Merge {commit} into {base} first, or `git switch {base}` and run this again there.",
)


def check_on_base(commit: str, base: str, is_on_base: bool) -> Iterator[Refusal]:
    """Refuse a commit that is not part of the base branch."""
    if not is_on_base:
        yield ON_BASE.refuse(commit=commit[:12], base=base)


FORWARD = PromotionRule(
    "P132",
    "An environment's branch moves only forward, along the main branch, to a verified commit.",
    "{detail}",
    "Deploy what {base} holds (`make deploy ENV={environment}`), then `make advance "
    "ENV={environment}`. People put back a branch that people moved aside: "
    "`git push --force-with-lease origin origin/{base}:{environment}`.",
)


def check_forward(
    environment: str, base: str, commit: str, tip: str | None, off_base: Sequence[str]
) -> Iterator[Refusal]:
    """Refuse to move an environment's branch from `tip` to `commit` unless both are on the base.

    `off_base` are those of the two that are not part of the base branch.
    """
    names = {"environment": environment, "base": base}
    if commit in off_base:
        yield FORWARD.refuse(detail=f"{commit[:12]} is not part of {base}.", **names)
    elif tip and tip in off_base:
        text = f"The branch {environment} is at {tip[:12]}, which is not part of {base}."
        yield FORWARD.refuse(detail=text, **names)
