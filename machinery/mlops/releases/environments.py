"""The environments: folders below environments/, in the order given by their policies' `from:`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mlops import git
from mlops.config.documents import Strict, parse, text_of
from mlops.errors import UserError, did_you_mean
from mlops.paths import ENVIRONMENTS, RELEASE, SIGNERS
from mlops.releases.environment_history import release_at
from mlops.releases.policy import BUILD, Policy, Settings
from mlops.releases.quarantine import QUARANTINE
from mlops.releases.release import Release, catalogue_path, release_file
from mlops.releases.rules.integrity import parse_sealed

T = TypeVar("T", bound=Strict)

# The kustomize base of all environments on a cluster.
SHARED = ENVIRONMENTS / "base"


@dataclass(frozen=True)
class Environment:
    """One environment: its settings and policy, and through `release` the release it holds."""

    name: str
    settings: Settings
    policy: Policy

    @property
    def folder(self) -> Path:
        """Its folder."""
        return ENVIRONMENTS / self.name

    @property
    def file(self) -> Path:
        """The file with its release; only a promotion or rollback writes it."""
        return release_file(self.name)

    @property
    def release(self) -> Release | None:
        """The release it holds in HEAD, None before the first; Refused if its file is broken."""
        return release_at("HEAD", self.name)

    def uncommitted(self) -> list[str]:
        """Return the files that decide what it runs and differ from HEAD."""
        own = (self.file, self.folder / "settings.yaml", self.folder / "policy.yaml")
        paths = (*own, QUARANTINE, SIGNERS)
        return git.changed(*(path.as_posix() for path in paths))


def folders() -> list[str]:
    """Return the names of the folders that are environments: those with a policy.yaml."""
    return sorted(file.parent.name for file in ENVIRONMENTS.glob("*/policy.yaml"))


def names() -> list[str]:
    """Return the names of all environments, each after the one it takes releases from."""
    origins = {name: _read(_policy_file(name), Policy).origin for name in folders()}
    ordered = [BUILD]
    for before in ordered:
        ordered += [n for n, origin in origins.items() if origin == before and n not in ordered]
    unconnected = sorted(set(origins) - set(ordered[1:]))
    if unconnected:
        name = unconnected[0]
        raise UserError(
            f"{_policy_file(name)}: `from: {origins[name]}` does not lead back to `build`. "
            f"There are {', '.join(ordered)}; `build` itself is no folder."
        )
    return ordered[1:]


def environment(name: str) -> Environment:
    """Read an environment; UserError if there is none of this name or its files are wrong."""
    existing = names()
    if name not in existing:
        listed = ", ".join(existing) or "none"
        hint = did_you_mean(name, existing)
        raise UserError(f"There is no environment {name!r}. There are {listed}.{hint}")
    return read(name)


def read(name: str) -> Environment:
    """Read the files of an environment; UserError if one is missing or wrong."""
    file = ENVIRONMENTS / name / "settings.yaml"
    settings = _read(file, Settings)
    if settings.metadata and settings.metadata.name != name:
        raise UserError(
            f"{file}: metadata.name is {settings.metadata.name!r}. It must be the folder's name, "
            f"{name!r}. If you copied the folder, change `port` and `kubernetes` too."
        )
    return Environment(name, settings, _read(_policy_file(name), Policy))


def production() -> Environment:
    """Return the last environment, whose release is the champion."""
    existing = names()
    if not existing:
        raise UserError("environments/ holds no environment: no folder has a policy.yaml.")
    return environment(existing[-1])


def _policy_file(name: str) -> Path:
    return ENVIRONMENTS / name / "policy.yaml"


def _read(file: Path, kind: type[T]) -> T:
    try:
        return parse(text_of(file), str(file), kind)
    except FileNotFoundError:
        raise UserError(f"{file} is missing. Restore it: git checkout HEAD -- {file}") from None


def catalogue_entry(release_id: str) -> Release | None:
    """Return the release in the catalogue of HEAD, None without; Refused if its file is broken."""
    file = catalogue_path(release_id)
    return parse_sealed(git.show("HEAD", file), file)


def built() -> Release:
    """Return the release that `package` wrote; UserError without one, Refused if it is broken."""
    text = RELEASE.read_text(encoding="utf-8") if RELEASE.exists() else None
    release = parse_sealed(text, RELEASE)
    if release is None:
        raise UserError(f"{RELEASE} is missing or holds no release. Run `make package` first.")
    return release
