"""The files of an environment that people write: settings.yaml and policy.yaml."""

from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, NaiveDatetime, field_validator, model_validator

from mlops.config.documents import Address, Strict

BUILD = "build"
KEY_NAME = r"[a-z0-9][a-z0-9._-]*"


class Replicas(Strict):
    """The least and the greatest number of pods."""

    least: int = Field(ge=1)
    most: int = Field(ge=1)

    @model_validator(mode="after")
    def _grow(self) -> "Replicas":
        if self.most < self.least:
            raise ValueError("`most` must not be less than `least`")
        return self


class Kubernetes(Strict):
    """Settings of a cluster: kustomize puts these values into environments/base/."""

    namespace: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    url: str = Field(
        pattern=r"^https?://[^\s/@?#]+$",
        description="where the service answers from outside; no user or password in it",
    )
    replicas: Replicas
    cpu: str = Field(pattern=r"^(\d+(\.\d+)?|\d+m)$", description="cores a pod asks for")
    memory: str = Field(pattern=r"^\d+(Mi|Gi)$", description="what a pod asks for and may use")
    rollout_seconds: float = Field(gt=0, description="how long `deploy` waits for the cluster")


class Docker(Strict):
    """Limits of a container; null: the whole machine."""

    cpus: float | None = Field(None, gt=0, description="cores")
    memory: str | None = Field(None, pattern=r"^\d+(Mi|Gi)$", description="beyond it is killed")


class Annotations(Strict):
    """The annotation with which kustomize reads an object but does not render it."""

    local_config: Literal["true"] = Field(alias="config.kubernetes.io/local-config")


class Metadata(Strict):
    """The head that makes settings.yaml an object for kustomize."""

    name: str = Field(description="the environment's own name: its folder's")
    annotations: Annotations


class Settings(Strict):
    """settings.yaml: how a release runs here; never promoted."""

    # Only kustomize needs the head; without one the environment cannot be rendered.
    api_version: Literal["mlops/v1"] = Field("mlops/v1", alias="apiVersion")
    kind: Literal["Settings"] = "Settings"
    metadata: Metadata | None = None
    target: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="a module of machinery/mlops/targets/"
    )
    port: int = Field(ge=1, le=65535)
    workers: int = Field(1, ge=1, le=256)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    registry: Address | None = Field(
        None, description="bundle and image are copied here, by digest, and run from here"
    )
    docker: Docker | None = None
    kubernetes: Kubernetes | None = None

    @model_validator(mode="after")
    def _cluster(self) -> "Settings":
        if self.target == "kubernetes" and self.kubernetes is None:
            raise ValueError("`target: kubernetes` needs the section `kubernetes`")
        return self


class Demand(Strict):
    """Evidence that a release needs."""

    kind: str
    environment: str = Field(description="where it was collected: `build` or an environment")
    max_age_hours: float | None = Field(None, gt=0, description="null: it does not age")


class Freeze(Strict):
    """A window in which only a rollback moves: local times, `to` itself excluded."""

    start: NaiveDatetime = Field(alias="from")
    end: NaiveDatetime = Field(alias="to")
    timezone: str
    reason: str = Field(min_length=1)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("not an IANA time zone such as Europe/Vienna or UTC") from None
        return name

    @model_validator(mode="after")
    def _forward(self) -> "Freeze":
        if self.end <= self.start:
            raise ValueError("`to` must be later than `from`")
        return self

    def contains(self, now: datetime) -> bool:
        """Return whether a moment falls into the window.

        When clocks change, a local time exists twice or never: the longer window counts.
        """
        return min(self._moments(self.start)) <= now < max(self._moments(self.end))

    def _moments(self, local: datetime) -> list[datetime]:
        zone = ZoneInfo(self.timezone)
        return [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]


class Signer(Strict):
    """A trusted signer: a key of environments/signers/, or a workflow through Sigstore."""

    key: str | None = Field(None, pattern=f"^{KEY_NAME}$", description="its file there, less .pub")
    identity: str | None = Field(None, min_length=1, description="as `sign` prints it")
    issuer: str = "https://token.actions.githubusercontent.com"

    @model_validator(mode="after")
    def _one(self) -> "Signer":
        if (self.key is None) == (self.identity is None):
            raise ValueError("a signer has either a `key` or an `identity`")
        return self

    @property
    def name(self) -> str:
        """The signer, as messages name it."""
        return f"the key {self.key}" if self.key else str(self.identity)


class Policy(Strict):
    """policy.yaml: what a release needs before this environment takes it."""

    origin: str = Field(alias="from", description="the environment before; `build` for the first")
    evidence: tuple[Demand, ...]
    signed_by: tuple[Signer, ...] = Field((), description="one of these; none: not demanded")
    freeze: tuple[Freeze, ...] = ()
