"""Rules about the release itself: its file, seal, catalogue entry, commit and bundle."""

from collections.abc import Iterator
from pathlib import Path

from mlops.errors import UserError
from mlops.releases.release import (
    Release,
    catalogue_path,
    parse_release,
    seal_of,
    sequence,
)
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.rule import PromotionRule, Refusal, refused

SCHEMA = PromotionRule(
    "P101",
    "A release file has the fields of a release and no others.",
    "{mistakes}",
    "`make package` writes build/release.yaml again. Elsewhere restore the committed version "
    "(`git log -- {file}`, `git checkout COMMIT -- {file}`) and commit it.",
)
SEAL = PromotionRule(
    "P102",
    "A release id ends in the hash of the promoted content.",
    "{file} names {release}, but its content hashes to {seal}: it was changed after it was sealed.",
    "Restore the committed version (`git log -- {file}`, `git checkout COMMIT -- {file}`) and "
    "commit it; `make package` seals a new release.",
)


def parse_sealed(text: str | None, file: Path) -> Release | None:
    """Read a release file's content, None if it holds none yet; Refused if it is broken."""
    try:
        release = None if text is None else parse_release(text, str(file))
    except UserError as error:
        refusal = SCHEMA.refuse(mistakes=error, file=file)
        raise refused(f"{file} is not usable", [refusal]) from None
    if release and seal_of(release.release_id) != (seal := release.promoted.seal):
        refusal = SEAL.refuse(file=file, release=release.release_id, seal=seal)
        raise refused(f"{file} is not usable", [refusal])
    return release


CATALOGUE = PromotionRule(
    "P103",
    "The catalogue holds the release with the same content.",
    "{file} {state}.",
    "Only a promotion out of `build` adds to environments/releases/, and no entry changes later. "
    "Restore the entry with git, or promote the release into the first environment first.",
)


def check_catalogue(facts: Facts) -> Iterator[Refusal]:
    """Refuse a release that the catalogue lacks or holds with other content."""
    release, entry = facts.release, facts.catalogue_entry
    file = catalogue_path(release.release_id)
    if entry is None:
        yield CATALOGUE.refuse(file=file, state="is not in HEAD or holds no release")
    elif (entry.release_id, entry.promoted) != (release.release_id, release.promoted):
        yield CATALOGUE.refuse(file=file, state="holds other content under this id")


UNIQUE = PromotionRule(
    "P104",
    "No two releases share a sequence number or a seal.",
    "{release} shares one with {other}.",
    "Another release entered the catalogue first. Run `make package` again for the next number.",
)


def check_unique(facts: Facts) -> Iterator[Refusal]:
    """Refuse a release whose number or seal another catalogue entry has."""
    mine = facts.release.release_id
    for other in facts.catalogue_ids:
        shared = sequence(other) == sequence(mine) or seal_of(other) == seal_of(mine)
        if other != mine and shared:
            yield UNIQUE.refuse(release=mine, other=other)


SOURCE = PromotionRule(
    "P115",
    "A release is built from a commit of the history here.",
    "{trunk} does not descend from {commit}, the {what}.",
    "Merge that commit, or `git fetch` it. After a squash merge, build the release again from the "
    "merged commit.",
)


def check_source(facts: Facts) -> Iterator[Refusal]:
    """Refuse a promotion with a commit outside the history that counts."""
    if facts.is_rollback:
        return
    for what, commit in facts.missing_commits:
        yield SOURCE.refuse(trunk=facts.trunk[:12], what=what, commit=commit[:12])


COMMITTED = PromotionRule(
    "P116",
    "The files that decide what runs are committed.",
    "These differ from HEAD: {files}.",
    "Commit the change, or undo it with `git checkout HEAD -- FILE` (delete an untracked file). "
    "To finish an interrupted promotion or rollback, run the same command again.",
)


def check_committed(facts: Facts) -> Iterator[Refusal]:
    """Refuse while a deciding file differs from HEAD."""
    if facts.uncommitted:
        yield COMMITTED.refuse(files=", ".join(sorted(facts.uncommitted)))


BUNDLE = PromotionRule(
    "P121",
    "The store holds the bundle of the release.",
    "The store {store} has no {digest}, the bundle of {release}.",
    "Restore it from a backup, or roll back to another release with TO.",
)


def check_bundle(facts: Facts) -> Iterator[Refusal]:
    """Refuse a rollback to a release whose bundle is gone."""
    if not facts.is_bundle_stored:
        release = facts.release
        digest = release.promoted.bundle.digest
        yield BUNDLE.refuse(store=facts.store_name, digest=digest, release=release.release_id)
