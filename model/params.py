"""The hyperparameters: the `model:` section of params.yaml."""

from pydantic import BaseModel, ConfigDict, Field


class Params(BaseModel):
    """Gradient-boosted trees, in XGBoost's own names."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    n_estimators: int = Field(150, ge=1, le=10_000, description="number of trees")
    learning_rate: float = Field(0.05, gt=0, le=1, description="weight of each tree")
    max_depth: int = Field(6, ge=1, le=20, description="depth of a tree")
    min_child_weight: float = Field(50, ge=0, description="least sum of hessians in a leaf")
    subsample: float = Field(0.7, gt=0, le=1, description="share of rows each tree sees")
    colsample_bytree: float = Field(0.5, gt=0, le=1, description="share of columns each tree sees")
