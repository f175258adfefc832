"""A release: everything that was built, sealed by a hash. A promotion moves it unchanged."""

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


class ReleasedModel(Part):
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
    """Digests of the schemas of a row and of an answer."""

    input: Digest
    output: Digest


class Image(Part):
    """The container made from the bundle, pinned by its digest, never by a tag."""

    ref: str = Field(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")
    platform: str


class Promoted(Part):
    """The sealed content, byte for byte the same in every environment."""

    bundle: Bundle
    image: Image | None = None
    model: ReleasedModel
    data: Data
    source: Source
    contract: Contract
    settings: dict[str, str] = {}

    @property
    def seal(self) -> str:
        """First 12 hex digits of the hash over this block.

        Absent fields are left out of the hash: an optional field added by a later version
        keeps the seals of older releases valid.
        """
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return files.digest(files.canonical(plain)).removeprefix("sha256:")[:12]


class Proof(Part):
    """A verdict before it names its release."""

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
    """The source of a promotion: `build`, or an environment at a commit."""

    environment: str
    commit: Commit
    at: Moment


class Rollback(Part):
    """The mark that allows an older release."""

    reason: str = Field(min_length=1)


class Spec(Part):
    """The content of a release file: a release, its origin and its evidence."""

    release_id: ReleaseId
    supersedes: ReleaseId | None = None
    promoted_from: Origin | None = None
    rollback: Rollback | None = None
    promoted: Promoted
    evidence: tuple[Evidence, ...] = ()


def _metadata(value: object) -> object:
    if value != METADATA:
        raise ValueError(f"it must be {METADATA}")
    return value


# Kustomize reads such an object for its replacements and does not render it.
METADATA = {"name": "release", "annotations": {LOCAL_CONFIG: "true"}}


class Document(Part):
    """A release file, which may hold no release yet."""

    api_version: Literal["mlops/v1"] = "mlops/v1"
    kind: Literal["Release"] = "Release"
    metadata: Annotated[dict[str, JsonValue], BeforeValidator(_metadata)] = METADATA
    spec: Spec | None


class Release(Document):
    """A release file that holds a release."""

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
    """Return whether a name has the form of a release id."""
    return _ID.fullmatch(name) is not None


def sequence(release_id: str) -> int:
    """Return the sequence number in a release id."""
    return int(_ID.fullmatch(release_id)["sequence"])


def short(release_id: str) -> str:
    """Return the short form of a release id, unique among the releases of one model."""
    return "-".join(release_id.rsplit("-", 2)[1:])


def seal_of(release_id: str) -> str:
    """Return the seal that a release id ends in."""
    return release_id.rsplit("-", 1)[1]


def none_yet() -> str:
    """Return the content of a release file that holds no release."""
    plain = Document(spec=None).model_dump(mode="json", by_alias=True)
    return dump(plain, NONE_YET)


def parse_release(text: str, where: str) -> Release | None:
    """Read a release file's content, None if it holds no release yet; UserError if it is broken."""
    document = parse(text, where, Document)
    return None if document.spec is None else Release(spec=document.spec)


def read_release(path: Path = RELEASE) -> Release | None:
    """Read a release file, None if there is no file or no release; UserError if it is broken."""
    try:
        return parse_release(text_of(path), str(path))
    except FileNotFoundError:
        return None


def write_release(path: Path, release: Release) -> None:
    """Write a release file."""
    files.write(path, release.text)


def release_file(environment: str) -> Path:
    """Return the release file of an environment."""
    return ENVIRONMENTS / environment / "release.yaml"


def catalogue_path(release_id: str) -> Path:
    """Return the catalogue's file of a release; promotion into the first environment writes it."""
    return CATALOGUE / f"{release_id}.yaml"


def catalogue_ids() -> list[str]:
    """Return the ids of all releases in the catalogue of HEAD."""
    listed = git.git("ls-tree", "--name-only", "HEAD", f"{CATALOGUE.as_posix()}/").splitlines()
    names = [Path(line).stem for line in listed if line.endswith(".yaml")]
    return [name for name in names if _ID.fullmatch(name)]


def new_release(promoted: Promoted, evidence: Iterable[Proof]) -> Release:
    """Seal what was built, with the next sequence number of the catalogue.

    The id has the date of the commit, so packing twice gives one id. Content that is in the
    catalogue already keeps its id.
    """
    existing = catalogue_ids()
    release_id = next((i for i in existing if seal_of(i) == promoted.seal), None)
    if release_id is None:
        day = datetime.fromisoformat(git.commit_time(promoted.source.commit)).astimezone(UTC)
        number = max(map(sequence, existing), default=0) + 1
        release_id = f"{promoted.model.name}-{day:%Y%m%d}-{number:04}-{promoted.seal}"
    # The evidence is about the same content, so it holds for the new id too.
    verdicts = (proof.model_dump(exclude={"release_id"}) for proof in evidence)
    proofs = tuple(Evidence(release_id=release_id, **verdict) for verdict in verdicts)
    return Release(spec=Spec(release_id=release_id, promoted=promoted, evidence=proofs))
