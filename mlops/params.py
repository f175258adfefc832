"""What params.yaml may say: strict records, and errors that name file, line, key, value and remedy."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from mlops.errors import UserError
from mlops.files import canonical, digest
from mlops.paths import PARAMS

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of params.yaml: frozen, and no key beyond those declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataParams(Section):
    """Which partitions are used; the newest of them are held out."""

    first: str | None = Field(None, description="oldest partition used; null: the oldest there is")
    last: str | None = Field(None, description="newest partition used; null: the newest there is")
    holdout: int = Field(1, ge=1, description="how many of the newest partitions are held out")


class TrainParams(Section):
    """How training runs, whatever the model."""

    device: Literal["cpu", "cuda", "auto"] = Field("cpu", description="where to train")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: all cores")
    seed: int = Field(0, ge=0, lt=2**31, description="random seed")


class EvaluateParams(Section):
    """How the intervals are computed."""

    replicates: int = Field(2000, ge=200, le=100_000, description="bootstrap replicates")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="coverage of the intervals")
    seed: int = Field(0, ge=0, lt=2**31, description="random seed of the bootstrap")


class GateParams(Section):
    """What a candidate must show to be merged."""

    cluster: str | None = Field(
        None, description="column whose values group dependent rows; null: rows are independent"
    )
    min_clusters: int = Field(20, ge=2, description="fewer groups than this: inconclusive")
    bounds: dict[str, float] = Field(
        {}, description="worst value allowed of a metric, on the candidate alone"
    )
    margins: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="how much worse than the champion a metric may be"
    )
    beat_constant: list[str] = Field(
        [], description="metrics that must be better than the best constant answer's"
    )


class ServeParams(Section):
    """How the service answers."""

    max_rows: int = Field(1000, ge=1, le=100_000, description="most rows in one request")
    ready_seconds: Positive = Field(60, description="how long a deployment may take to be ready")


class LoadtestParams(Section):
    """The traffic a release must survive."""

    users: int = Field(8, ge=1, le=10_000, description="concurrent users")
    spawn_rate: Positive = Field(8, description="users started a second")
    seconds: Positive = Field(10, description="length of the test")
    p95_ms: Positive = Field(200, description="budget of the 95th percentile of latency")
    max_error_ratio: Share = Field(0.01, description="share of failed requests tolerated")
    min_requests: int = Field(200, ge=1, description="fewer requests than this: inconclusive")


class Params(Section):
    """Everything a fork sets without touching code."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,38}$", description="prefix of release ids")
    store: str = Field("build/store", description="where bundles are kept: a folder or fsspec URL")
    data: DataParams
    train: TrainParams = TrainParams()
    model: Any = Field(description="hyperparameters: model/params.py declares them")
    evaluate: EvaluateParams = EvaluateParams()
    gate: GateParams = GateParams()
    serve: ServeParams = ServeParams()
    loadtest: LoadtestParams = LoadtestParams()

    @property
    def fingerprint(self) -> str:
        """Digest of all values, defaults included."""
        return digest(canonical(self.model_dump()))


def params_type(model: type[BaseModel]) -> type[Params]:
    """Return the type of params.yaml for a team whose `model:` section is `model`."""
    return create_model("Params", __base__=Params, model=(model, ...))


def load_params(model: type[BaseModel], path: Path = PARAMS) -> Params:
    """Read and check params.yaml; raises UserError for every mistake in it at once."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing here. Run this in the repository's root.") from None
    lines: dict[tuple, int] = {}
    try:
        values = _construct(yaml.compose(text, yaml.SafeLoader), (), lines)
    except (yaml.YAMLError, UserError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no keys. Restore it with `git checkout {path}`.")
    kind = params_type(model)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        mistakes = [_explain(path, kind, mistake, lines) for mistake in error.errors()]
        raise UserError("\n".join(mistakes)) from None


def _construct(node: yaml.Node | None, at: tuple, lines: dict[tuple, int]) -> Any:
    """Build plain values, noting the line of every key and refusing a key given twice."""
    if node is None:
        return None
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key, value in node.value:
            if key.value in values:
                raise UserError(f"line {key.start_mark.line + 1}: {key.value!r} is given twice.")
            values[key.value] = _construct(value, (*at, key.value), lines)
            lines[(*at, key.value)] = key.start_mark.line + 1
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*at, i), lines) for i, item in enumerate(node.value)]
    return yaml.SafeLoader("").construct_object(node)


def _explain(path: Path, kind: type[BaseModel], mistake: dict, lines: dict[tuple, int]) -> str:
    at = tuple(mistake["loc"])
    line = next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), 1)
    place = f"{path}:{line}: {'.'.join(map(str, at))}"
    if mistake["type"] == "missing":
        return f"{place}: this key is required."
    found = mistake["input"]
    if mistake["type"] != "extra_forbidden":
        return f"{place}: found {found!r}. {mistake['msg']}."
    allowed = sorted(_keys(kind, at[:-1]))
    near = difflib.get_close_matches(str(at[-1]), allowed, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{place}: unknown key (found {found!r}). Allowed here: {', '.join(allowed)}.{hint}"


def _keys(kind: type[BaseModel], at: tuple) -> set[str]:
    for name in at:
        kind = kind.model_fields[name].annotation
    return set(kind.model_fields)
