"""params.yaml as strict records."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from mlops.config.documents import Address, Strict, parse, text_of
from mlops.errors import UserError
from mlops.files import canonical, digest
from mlops.paths import PARAMS

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
# One share, or one for each column. The kind is chosen first, so that an error is about that one.
Shares = Annotated[
    Annotated[Share, Tag("share")] | Annotated[dict[str, Share], Tag("columns")],
    Discriminator(lambda value: "columns" if isinstance(value, dict) else "share"),
]

MAX_UNSEEN = 0.1


class DataParams(Strict):
    """The partitions in use; the newest of them are held out."""

    first: str | None = Field(None, description="oldest partition used; null: the oldest there is")
    last: str | None = Field(None, description="newest partition used; null: the newest there is")
    holdout: int = Field(1, ge=1, description="how many of the newest partitions are held out")


class CheckParams(Strict):
    """How much a partition may differ from those before it."""

    least_rows: float = Field(
        0.5, gt=0, le=1, description="least rows as a share of the usual; its inverse is the most"
    )
    missing_shift: Share = Field(
        0.2, description="how far a column's share of missing values may leave its earlier range"
    )
    max_unseen: Shares = Field(
        MAX_UNSEEN,
        description="largest share of rows with a category that no earlier partition has; or one "
        "share for each column, and `default` for the others",
    )
    may_freeze: list[str] = Field(
        [], description="columns that may be constant in a whole partition"
    )
    max_twins: Share = Field(
        0.01,
        description="largest share of held-out rows that are duplicates of training rows, where "
        "training partitions do not share more",
    )
    accepted: list[Annotated[str, Field(pattern=r"^D10[2-5] \S")]] = Field(
        [], description="findings about old partitions that are right as they are: rule, subject"
    )

    def most_unseen(self, column: str) -> float:
        """Return the largest share of rows with a new category of one column."""
        if not isinstance(self.max_unseen, dict):
            return self.max_unseen
        return self.max_unseen.get(column, self.max_unseen.get("default", MAX_UNSEEN))


class PrivacyParams(Strict):
    """What of the data may leave this machine, in a record, a report, a message or the service."""

    min_rows: int = Field(
        10, ge=1, description="a text is shown only if so many rows have it; rarer ones are counted"
    )


class TrainParams(Strict):
    """Settings of training that do not depend on the model."""

    device: Literal["cpu", "cuda", "auto"] = Field("cpu", description="where to train")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: all cores")
    seed: int = Field(0, ge=0, lt=2**31, description="random seed")
    repeat: bool = Field(True, description="train twice, to test that both give the same model")


class EvaluateParams(Strict):
    """Settings of the intervals."""

    replicates: int = Field(2000, ge=200, le=100_000, description="bootstrap replicates")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="coverage of the intervals")
    seed: int = Field(0, ge=0, lt=2**31, description="random seed of the bootstrap")


class SliceParams(Strict):
    """Settings of the slices of rows that are compared."""

    min_rows: int = Field(50, ge=2, description="a slice of fewer rows is not compared")
    min_share: Share = Field(
        0.8, description="smaller share of the rows in compared slices: inconclusive"
    )


class LeakageParams(Strict):
    """How well a single feature may predict the outcome."""

    # By default only what next to no problem has: a feature that nearly is the outcome.
    max_auc: Annotated[float, Field(gt=0.5, le=1)] | None = Field(
        0.98, description="highest AUC of one feature alone, for labels 0 and 1; null: not judged"
    )
    max_r2: Share | None = Field(
        0.98, description="highest R2 of one feature alone, for other targets; null: not judged"
    )


class BudgetParams(Strict):
    """Budgets for the model's size and the time to score one row in process."""

    model_mb: Positive = Field(500, description="size of the model's files, MB")
    p50_ms: Positive = Field(50, description="median time to score one row, ms")
    p99_ms: Positive = Field(500, description="99th percentile of the time to score one row, ms")


class GateParams(Strict):
    """The bounds a candidate must meet to be merged."""

    cluster: str | None = Field(
        None, description="column whose values group dependent rows; null: rows are independent"
    )
    min_clusters: int = Field(20, ge=2, description="fewer groups than this: inconclusive")
    bounds: dict[str, float] = Field(
        {}, description="worst value allowed of a metric, on the candidate alone"
    )
    margins: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="how much worse than the champion's a metric may be"
    )
    beat_constant: list[str] = Field(
        [], description="metrics that must beat the best constant prediction"
    )
    slices: SliceParams = SliceParams()
    leakage: LeakageParams = LeakageParams()
    ceilings: dict[str, float] = Field(
        {}, description="a better value of a metric is refused as implausible"
    )
    budgets: BudgetParams = BudgetParams()
    max_miscalibration: Positive | None = Field(
        None, description="mean distance of score and outcome by tenths; null: not judged"
    )


class ServeParams(Strict):
    """What scores the rows in the service, and its limits."""

    runtime: Literal["python", "onnx"] = Field(
        "python",
        description="what scores: your code and libraries, or an exported model and onnxruntime",
    )
    max_rows: int = Field(1000, ge=1, le=100_000, description="most rows in one request")
    ready_seconds: Positive = Field(60, description="how long a deployment may take to be ready")
    max_waiting: int = Field(
        256, ge=1, le=10_000, description="most requests a worker lets wait; more are answered 503"
    )
    max_wait_seconds: Positive = Field(
        1, description="a request that waited longer for its turn is answered 503"
    )
    batch_rows: int = Field(
        64, ge=1, description="rows of waiting requests scored in one call; 1 = each request alone"
    )
    max_held_mb: int = Field(
        64, ge=1, description="most that a worker holds of requests that arrive or wait"
    )
    max_connections: int = Field(
        900, ge=1, description="most connections of a worker; one more is answered 503 and ended"
    )
    arrive_seconds: Positive = Field(
        5, description="a request that takes longer to arrive is answered 408, its connection ended"
    )
    log_mb: int = Field(
        384, ge=6, description="most that a worker's prediction log takes; the oldest goes"
    )


class LoadtestParams(Strict):
    """The load a release must withstand."""

    users: int = Field(8, ge=1, le=10_000, description="concurrent users")
    spawn_rate: Positive = Field(8, description="users started a second")
    seconds: Positive = Field(10, description="length of the test")
    p95_ms: Positive = Field(200, description="budget of the 95th percentile of latency")
    max_error_ratio: Share = Field(0.01, description="share of failed requests tolerated")
    min_requests: int = Field(200, ge=1, description="fewer requests than this: inconclusive")


class MonitorParams(Strict):
    """When served rows or metrics differ too much from training rows or the gate's metrics."""

    days: int = Field(31, ge=4, description="how many of the newest days with rows are judged")
    min_rows: int = Field(1000, ge=20, description="fewer rows than this: inconclusive")
    min_days: int = Field(14, ge=4, description="fewer days than this: inconclusive")
    min_labelled: Share = Field(
        0.5, description="labels for a smaller share of days decide nothing"
    )
    times_usual: Positive = Field(
        4, description="how many times the usual drift in training a column or the scores may drift"
    )
    max_auc: float = Field(
        0.9,
        gt=0.5,
        lt=1,
        description="how well a classifier may separate served from training days",
    )


class RetrainParams(Strict):
    """When a retraining of production's model is proposed automatically."""

    max_age_days: int | None = Field(
        None, ge=1, description="largest age of production's release in days; null: no limit"
    )


class Params(Strict):
    """Everything a fork configures without code."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,38}$", description="prefix of release ids")
    store: Address = Field(
        "build/store", description="where bundles are kept: a folder, a registry or fsspec URL"
    )
    registry: Address | None = Field(
        None, description="where images are pushed; null: beside the bundles"
    )
    data: DataParams
    check: CheckParams = CheckParams()
    privacy: PrivacyParams = PrivacyParams()
    train: TrainParams = TrainParams()
    model: Any = Field(description="hyperparameters: model/params.py declares them")
    evaluate: EvaluateParams = EvaluateParams()
    gate: GateParams = GateParams()
    serve: ServeParams = ServeParams()
    loadtest: LoadtestParams = LoadtestParams()
    monitor: MonitorParams = MonitorParams()
    retrain: RetrainParams = RetrainParams()

    @property
    def fingerprint(self) -> str:
        """Digest of all values, defaults included."""
        return digest(canonical(self.model_dump()))


class AnyModel(BaseModel):
    """The unchecked `model:` section: promotions must not depend on code that may be broken."""

    model_config = ConfigDict(extra="allow")


def params_type(model: type[BaseModel]) -> type[Params]:
    """Return the type of params.yaml for a team whose `model:` section has this type.

    An unknown key in it is an error as anywhere else, unless the team's type allows it.
    """
    if "extra" not in model.model_config:
        namespace = {"__doc__": model.__doc__, "__module__": model.__module__}
        model = type(model.__name__, (model,), namespace | {"model_config": {"extra": "forbid"}})
    return create_model("Params", __base__=Params, model=(model, ...))


def load_params(model: type[BaseModel], path: Path = PARAMS) -> Params:
    """Read and check params.yaml; raises UserError with all mistakes in it."""
    try:
        text = text_of(path)
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing here. Run this in the repository's root, or put the file back: "
            f"git checkout HEAD -- {path}"
        ) from None
    return parse(text, str(path), params_type(model))
