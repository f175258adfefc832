"""What speaks against merging a promotion or rollback, beside what speaks against deploying it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from mlops import git
from mlops.github.proposals import Move, Retraining
from mlops.paths import ENVIRONMENTS
from mlops.releases import environments, quarantine
from mlops.releases.environment_history import held_at, release_file
from mlops.releases.environments import Environment
from mlops.releases.promotion import check_quarantine, sound
from mlops.releases.quarantine import QUARANTINE
from mlops.releases.refusals import PLACE, SCOPE, Refusal
from mlops.releases.release import CATALOGUE, Release, catalogue_path
from mlops.retraining.triggers import twin

Changes = Mapping[Path, str]


def changes(base: str) -> Changes:
    """Return the files that HEAD has changed since it left a commit: A, M or D for each."""
    listed = git.git("diff", "--name-status", "--no-renames", "-z", f"{base}...HEAD").split("\0")
    return {Path(name): status for status, name in zip(listed[::2], listed[1::2], strict=False)}


def moved(changed: Changes) -> list[str]:
    """Return the environments whose release these changes decide.

    A new environment that holds none yet, and one that is removed as a whole, are people's work.
    """
    names = [path.parent.name for path in changed if path == release_file(path.parent.name)]
    return [name for name in names if not _is_peoples(name, changed[release_file(name)])]


def _is_peoples(name: str, status: str) -> bool:
    if status == "D":
        return git.show("HEAD", ENVIRONMENTS / name / "policy.yaml") is None
    return status == "A" and held_at("HEAD", name) is None


def check_scope(changed: Changes, moves: list[str], release: Release | None) -> Iterator[Refusal]:
    """Refuse a promotion that changes more than its own files, and others that change those.

    `moves` are the environments moved, `release` what the only one of them then holds.
    """
    if len(moves) > 1:
        yield SCOPE.refuse(found=f"It decides the releases of {', '.join(moves)}, not of one.")
        return
    if moves and release is None:
        yield SCOPE.refuse(found=f"It takes the release away from {moves[0]}.")
        return
    own = _own(moves, release)
    if moves:
        others = [path.as_posix() for path in changed if changed[path] not in own.get(path, "")]
        beside = f"Beside {release_file(moves[0])} it changes {', '.join(others)}."
    else:
        others = [path.as_posix() for path in changed if CATALOGUE in path.parents]
        beside = f"It promotes nothing, but changes {', '.join(others)}."
    if others:
        yield SCOPE.refuse(found=beside)


def _own(moves: list[str], release: Release | None) -> dict[Path, str]:
    """Return the files that a promotion or rollback may change, and how."""
    own = {release_file(name): "AM" for name in moves}
    if release:
        own[catalogue_path(release.release_id)] = "A"
    if release and release.spec.rollback:
        own[QUARANTINE] = "AM"
    return own


def check_landing(environment: Environment, release: Release, base: str) -> Iterator[Refusal]:
    """Refuse what was computed for another state of the environment than `base` now holds."""
    held = held_at(base, environment.name)
    held_id = held and held.release_id
    if release.spec.supersedes != held_id:
        state = f"supersedes {release.spec.supersedes or 'none'}"
        words = {"file": environment.file, "commit": base[:12], "held": held_id or "none"}
        yield PLACE.refuse(state=state, **words)
    yield from check_quarantine(release, _barred(base))


def check_barred(release: Release, base: str) -> Iterator[Refusal]:
    """Refuse a rollback that does more to the quarantine than add what it replaces."""
    if release.spec.rollback is None:
        return
    before, after = ({e.release_id for e in known} for known in (_barred(base), _barred("HEAD")))
    if before - after:
        yield SCOPE.refuse(found=f"It takes {', '.join(sorted(before - after))} out of quarantine.")
    replaced = release.spec.supersedes
    if others := sorted(after - before - {replaced}):
        found = f"It bars {', '.join(others)} beside {replaced}, which it replaces."
        yield SCOPE.refuse(found=found)
    if replaced not in after:
        yield SCOPE.refuse(found=f"It does not bar {replaced}, which it replaces.")


def move(offered: Move, base: str) -> tuple[str, list[Refusal]]:
    """Return what of a move `base` holds already, "" for nothing, and what speaks against it."""
    held = held_at(base, offered.place)
    if held and held.release_id == offered.name:
        return f"{offered.name} in {offered.place}", []
    environment = environments.environment(offered.place)
    return "", list(check_landing(environment, offered.release, base))


def retraining(offered: Retraining, base: str) -> tuple[str, list[Refusal]]:
    """Return the release in production with this model, "" for none, and what speaks against it."""
    digest, known = offered.told["model_digest"], _barred(base)
    held = held_at(base, environments.names()[-1])
    if held and twin(digest, [held]):
        return f"{held.release_id}, this very model,", []
    same = twin(digest, _releases(base, known))
    return "", list(check_quarantine(same, known)) if same else []


def _barred(base: str) -> quarantine.Entries:
    return quarantine.parse_entries(git.show(base, QUARANTINE) or "")


def _releases(base: str, known: quarantine.Entries) -> Iterator[Release]:
    for path in (catalogue_path(entry.release_id) for entry in known):
        if release := sound(git.show(base, path), path):
            yield release


def merge_refusals(
    environment: Environment, release: Release, base: str, now: datetime | None = None
) -> list[Refusal]:
    """Return every reason against merging what HEAD proposes into `base`."""
    now = now or datetime.now(UTC)
    found = [
        *check_landing(environment, release, base),
        *check_barred(release, base),
        # Evidence is judged by the merge, which would be now.
        *environments.deploy_refusals(environment, release, None, now, committed=now),
    ]
    return list(dict.fromkeys(found))
