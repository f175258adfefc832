"""A release: everything that was built, sealed by a hash. A promotion moves it, unchanged."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
)
from pydantic.alias_generators import to_camel

from mlops import files, git
from mlops.config.documents import Strict, dump, parse, text_of
from mlops.paths import ENVIRONMENTS, RELEASE

CATALOGUE = ENVIRONMENTS / "releases"
HEADER = "# Written by promotion; do not edit: the id below is a seal over what is promoted.\n"
NONE_YET = "# Written by promotion; do not edit. None yet: the first promotion fills it.\n"
LOCAL_CONFIG = "config.kubernetes.io/local-config"
_ID = re.compile(r"(?P<name>.+)-(?P<date>\d{8})-(?P<sequence>\d{4,})-(?P<seal>[0-9a-f]{12})")


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
ReleaseId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*-\d{8}-\d{4,}-[0-9a-f]{12}$")]
Moment = Annotated[AwareDatetime, PlainSerializer(_text, when_used="json")]


class Part(Strict):
    """A part of a release: snake_case here, camelCase in the file."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class Bundle(Part):
    """The packed model, known by the digest of its one file."""

    digest: Digest
    bytes: int = Field(ge=0)


class Model(Part):
    """The trained model inside the bundle."""

    name: str
    digest: Digest
    bytes: int = Field(ge=0)


class Data(Part):
    """The partitions trained and judged on, and one fingerprint over them all."""

    train: tuple[str, ...]
    holdout: tuple[str, ...]
    fingerprint: Digest


class Source(Part):
    """The commit everything was built from."""

    repository: str | None = None
    commit: Commit


class Contract(Part):
    """Digests of what the service takes and gives."""

    input: Digest
    output: Digest


class Image(Part):
    """The container made from the bundle, pinned by its digest, never by a tag."""

    ref: str = Field(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")
    platform: str


class Promoted(Part):
    """What moves, byte for byte the same in every environment."""

    bundle: Bundle
    image: Image | None = None
    model: Model
    data: Data
    source: Source
    contract: Contract
    settings: dict[str, str] = {}

    @property
    def seal(self) -> str:
        """First 12 hex digits of the hash over this block.

        What is absent is left out of the hash, so a field that a later version adds
        as optional leaves the seals of older releases valid.
        """
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return files.digest(files.canonical(plain)).removeprefix("sha256:")[:12]


class Proof(Part):
    """A verdict that speaks for a release, before it is tied to one."""

    kind: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    environment: str
    verdict: Literal["pass", "fail", "inconclusive"]
    reason: str = ""
    at: Moment
    digest: Digest = Field(description="of the file the verdict was read from")
    figures: dict[str, JsonValue] | None = None


class Evidence(Proof):
    """A verdict about one release."""

    release_id: ReleaseId


class Origin(Part):
    """Where a promotion took the release from: `build`, or an environment at a commit."""

    environment: str
    commit: Commit
    at: Moment


class Rollback(Part):
    """The mark that lets an older release pass."""

    reason: str = Field(min_length=1)


class Spec(Part):
    """What an environment holds: a release, how it came there and what speaks for it."""

    release_id: ReleaseId
    supersedes: ReleaseId | None = None
    promoted_from: Origin | None = None
    rollback: Rollback | None = None
    promoted: Promoted
    evidence: tuple[Evidence, ...] = ()


def _metadata(value: object) -> object:
    if value != METADATA:
        raise ValueError(f"it is always {METADATA}")
    return value


# Kustomize reads such an object for its replacements and does not send it to the cluster.
METADATA = {"name": "release", "annotations": {LOCAL_CONFIG: "true"}}


class Document(Part):
    """The file around a release, or around nothing yet."""

    api_version: Literal["mlops/v1"] = "mlops/v1"
    kind: Literal["Release"] = "Release"
    metadata: Annotated[dict[str, JsonValue], BeforeValidator(_metadata)] = METADATA
    spec: Spec | None


class Release(Document):
    """A release as a file holds it."""

    spec: Spec

    @property
    def release_id(self) -> str:
        """Its id: name, date of the commit, sequence number, seal."""
        return self.spec.release_id

    @property
    def promoted(self) -> Promoted:
        """The sealed block."""
        return self.spec.promoted

    @property
    def text(self) -> str:
        """The file's content."""
        return dump(self.model_dump(mode="json", by_alias=True, exclude_none=True), HEADER)


def is_release_id(name: str) -> bool:
    """Say whether this is what ids of releases look like."""
    return _ID.fullmatch(name) is not None


def sequence(release_id: str) -> int:
    """Return the sequence number in a release id."""
    return int(_ID.fullmatch(release_id)["sequence"])


def short(release_id: str) -> str:
    """Return the part of a release id that tells it from others of the same model."""
    return "-".join(release_id.rsplit("-", 2)[1:])


def seal_of(release_id: str) -> str:
    """Return the seal that a release id ends in."""
    return release_id.rsplit("-", 1)[1]


def none_yet() -> str:
    """Return the content of a release file that holds no release."""
    plain = Document(spec=None).model_dump(mode="json", by_alias=True)
    return dump(plain, NONE_YET)


def parse_release(text: str, where: str) -> Release | None:
    """Read a release file's content, None where it holds none yet; UserError when it is broken."""
    document = parse(text, where, Document)
    return None if document.spec is None else Release(spec=document.spec)


def read_release(path: Path = RELEASE) -> Release | None:
    """Read a release file, None where there is none or none yet; UserError when it is broken."""
    try:
        return parse_release(text_of(path), str(path))
    except FileNotFoundError:
        return None


def write_release(path: Path, release: Release) -> None:
    """Write a release file."""
    files.write(path, release.text)


def catalogue_path(release_id: str) -> Path:
    """Return where the catalogue keeps a release, written when it enters the first environment."""
    return CATALOGUE / f"{release_id}.yaml"


def catalogue_ids() -> list[str]:
    """Return the ids of all releases in the catalogue of HEAD."""
    listed = git.git("ls-tree", "--name-only", "HEAD", f"{CATALOGUE.as_posix()}/").splitlines()
    names = [Path(line).stem for line in listed if line.endswith(".yaml")]
    return [name for name in names if _ID.fullmatch(name)]


def new_release(promoted: Promoted, evidence: Iterable[Proof]) -> Release:
    """Seal what was built, with the next sequence number of the catalogue.

    The date in its id is that of its commit, so packing twice gives one id. What is in the
    catalogue already keeps the id it has there.
    """
    known = catalogue_ids()
    release_id = next((i for i in known if seal_of(i) == promoted.seal), None)
    if release_id is None:
        made = datetime.fromisoformat(git.commit_time(promoted.source.commit)).astimezone(UTC)
        number = max(map(sequence, known), default=0) + 1
        release_id = f"{promoted.model.name}-{made:%Y%m%d}-{number:04}-{promoted.seal}"
    # Evidence for the release this one was sealed from speaks for this one too.
    found = (proof.model_dump(exclude={"release_id"}) for proof in evidence)
    proofs = tuple(Evidence(release_id=release_id, **proof) for proof in found)
    return Release(spec=Spec(release_id=release_id, promoted=promoted, evidence=proofs))
