"""What an environment has held: one promotion or rollback after the other, as git tells it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops import git
from mlops.errors import Refused
from mlops.paths import ENVIRONMENTS
from mlops.releases.history import Version, versions
from mlops.releases.promotion import sound
from mlops.releases.refusals import PLACE, Refusal
from mlops.releases.release import Release


@dataclass(frozen=True)
class Held:
    """A release, or none, as one commit put it into an environment's file."""

    version: Version
    release: Release | None

    @property
    def release_id(self) -> str | None:
        """The id of the release, None for none."""
        return self.release and self.release.release_id


def release_file(name: str) -> Path:
    """Return the release file of an environment."""
    return ENVIRONMENTS / name / "release.yaml"


def held_at(commit: str, name: str) -> Release | None:
    """Return the release an environment held at a commit; Refused when its file was broken."""
    file = release_file(name)
    return sound(git.show(commit, file), file)


def holdings(name: str) -> list[Held]:
    """Return what promotions and rollbacks made an environment hold, newest first.

    A version counts when it supersedes the one before it and was never there before: edits by
    hand, reverts by git and files computed for another state of the environment do not.
    """
    file, kept, seen = release_file(name), [], set()
    for version in reversed(versions(file)):
        try:
            held = Held(version, sound(version.text, file))
        except Refused:
            continue
        if not kept or (version.blob not in seen and _follows(held, kept[-1])):
            kept.append(held)
            seen.add(version.blob)
    return kept[::-1]


def _follows(held: Held, before: Held) -> bool:
    return held.release is not None and held.release.spec.supersedes == before.release_id


def check_place(name: str, past: list[Held]) -> Iterator[Refusal]:
    """Refuse a file that HEAD holds although no promotion or rollback put it there."""
    file = release_file(name)
    text = git.show("HEAD", file)
    if past and text != past[0].version.text:
        last = past[0]
        yield PLACE.refuse(
            file=file,
            state=_fault(sound(text, file), text, past),
            held=last.release_id or "none",
            commit=last.version.commit[:12],
        )


def _fault(release: Release | None, text: str | None, past: list[Held]) -> str:
    if release is None or text in [held.version.text for held in past]:
        return "was brought back from before"
    if release.release_id == past[0].release_id:
        return "was edited by hand"
    return f"supersedes {release.spec.supersedes or 'none'}"
