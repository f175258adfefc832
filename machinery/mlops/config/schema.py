"""The JSON Schema of params.yaml, by which an editor completes and checks the file."""

import json

from mlops.config.params import params_type
from mlops.training import contract


def schema_text() -> str:
    """Return the JSON Schema of params.yaml, the team's own `model:` section included."""
    schema = params_type(contract.team_model().Params).model_json_schema()
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema, indent=2)
        + "\n"
    )
