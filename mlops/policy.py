"""What people write about an environment: settings.yaml and policy.yaml."""

from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, NaiveDatetime, field_validator, model_validator

from mlops.documents import Strict

BUILD = "build"


class Settings(Strict):
    """How a release runs here; never promoted."""

    target: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="a module of mlops/targets/")
    port: int = Field(ge=1, le=65535)
    workers: int = Field(1, ge=1, le=256)
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Demand(Strict):
    """Evidence that a release must bring."""

    kind: str
    environment: str = Field(description="where it was collected: `build` or an environment")
    max_age_hours: float | None = Field(None, gt=0, description="null: it does not age")


class Freeze(Strict):
    """A time in which nothing but a rollback moves: local times, `to` itself excluded."""

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

    def holds(self, now: datetime) -> bool:
        """Say whether a moment falls into the window.

        Where the clocks change, a local time comes twice or never: the longer window counts.
        """
        return min(self._moments(self.start)) <= now < max(self._moments(self.end))

    def _moments(self, local: datetime) -> list[datetime]:
        zone = ZoneInfo(self.timezone)
        return [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]


class Policy(Strict):
    """What a release must show before this environment takes it."""

    origin: str = Field(alias="from", description="the environment before; `build` for the first")
    evidence: tuple[Demand, ...]
    freeze: tuple[Freeze, ...] = ()
