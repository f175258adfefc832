"""Gather the facts that the rules judge, from git and the files of an environment."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mlops import git
from mlops.paths import ENVIRONMENTS
from mlops.releases import evidence, quarantine
from mlops.releases.environment_history import release_at, release_history
from mlops.releases.environments import Environment, catalogue_entry
from mlops.releases.history import reaches
from mlops.releases.policy import BUILD
from mlops.releases.release import Release, catalogue_ids, release_file
from mlops.releases.rules.facts import Base, Facts
from mlops.releases.rules.scope import ChangedFiles


def for_move(
    environment: Environment, release: Release, now: datetime | None = None, trunk: str = "HEAD"
) -> Facts:
    """Return the facts about a release that an environment takes or goes back to.

    Only commits that `trunk` is or descends from count as merged.
    """
    return Facts(
        environment=environment.name,
        release=release,
        policy=environment.policy,
        now=now or datetime.now(UTC),
        uncommitted=tuple(environment.uncommitted()),
        catalogue_entry=catalogue_entry(release.release_id),
        catalogue_ids=tuple(catalogue_ids()),
        quarantine=quarantine.with_models(quarantine.entries(), "HEAD"),
        file_text=git.show("HEAD", environment.file),
        history=tuple(release_history(environment.name)),
        previous_id=release.spec.supersedes,
        trunk=trunk,
        missing_commits=_missing_commits(release, trunk),
    )


def for_deploy(
    environment: Environment,
    release: Release,
    live_id: str | None = None,
    now: datetime | None = None,
    trunk: str = "HEAD",
) -> Facts:
    """Return the facts about the release that HEAD holds for an environment.

    `live_id` is the release that runs there now.
    """
    facts = for_move(environment, release, now, trunk)
    history = facts.history
    return replace(
        facts,
        previous_id=history[1].release_id if len(history) > 1 else None,
        live_id=live_id,
        origin_id=_origin_id(environment, release, trunk),
        merged_at=_not_before_promotion(release, history[0].version.at),
    )


def for_merge(
    environment: Environment, release: Release, base: str, now: datetime | None = None
) -> Facts:
    """Return the facts about the release that HEAD proposes to merge into `base` now.

    The pull request's own commits are not merged yet, so they prove nothing.
    """
    facts = for_deploy(environment, release, now=now, trunk=base)
    return replace(
        facts,
        merged_at=_not_before_promotion(release, facts.now),
        base=base_facts(environment.name, base),
        contradicting=evidence.contradicting(release),
    )


def base_facts(environment: str, commit: str) -> Base:
    """Return the facts about a commit that a pull request is merged into."""
    release = release_at(commit, environment)
    entries = quarantine.with_models(quarantine.entries(commit), commit)
    return Base(commit, release and release.release_id, entries)


def _not_before_promotion(release: Release, at: datetime) -> datetime:
    origin = release.spec.promoted_from
    return max(origin.at, at) if origin else at


def _origin_id(environment: Environment, release: Release, trunk: str) -> str | None:
    """Return the release that `promotedFrom`'s environment held at the commit given there.

    None if `trunk` does not descend from that commit.
    """
    origin, is_rollback = release.spec.promoted_from, release.spec.rollback is not None
    expected = environment.name if is_rollback else environment.policy.origin
    if origin is None or origin.environment != expected or expected == BUILD:
        return None
    if not reaches(origin.commit, trunk):
        return None
    source = release_at(origin.commit, origin.environment)
    return source and source.release_id


def _missing_commits(release: Release, trunk: str) -> tuple[tuple[str, str], ...]:
    """Return the commits of a release that `trunk` does not descend from."""
    commits = [("commit it was built from", release.promoted.source.commit)]
    origin = release.spec.promoted_from
    if origin and origin.commit != release.promoted.source.commit:
        commits.append(("commit it was promoted from", origin.commit))
    return tuple((what, commit) for what, commit in commits if not reaches(commit, trunk))


def changed_files(base: str) -> ChangedFiles:
    """Return the files that HEAD has changed since it left a commit: A, M or D for each."""
    listed = git.git("diff", "--name-status", "--no-renames", "-z", f"{base}...HEAD").split("\0")
    return {Path(name): status for status, name in zip(listed[::2], listed[1::2], strict=False)}


def lifted_quarantines(base: str, changed: ChangedFiles) -> list[str]:
    """Return the releases that HEAD lets out of quarantine since it left a commit."""
    if quarantine.QUARANTINE not in changed:
        return []
    return quarantine.lifted(git.git("merge-base", base, "HEAD"), "HEAD")


def moved_environments(changed: ChangedFiles) -> list[str]:
    """Return the environments whose release these changes decide.

    People add an environment without a release, and remove an environment as a whole.
    """
    names = [path.parent.name for path in changed if path == release_file(path.parent.name)]
    return [name for name in names if not _is_peoples(name, changed[release_file(name)])]


def _is_peoples(name: str, status: str) -> bool:
    if status == "D":
        return git.show("HEAD", ENVIRONMENTS / name / "policy.yaml") is None
    return status == "A" and release_at("HEAD", name) is None
