"""Write params.schema.json, which lets an editor complete and check params.yaml."""

import json
import sys

from mlops import cli, contract
from mlops.files import write
from mlops.params import params_type
from mlops.paths import PARAMS_SCHEMA


def schema_text() -> str:
    """Return the JSON Schema of params.yaml, the team's own `model:` section included."""
    schema = params_type(contract.team_model().Params).model_json_schema()
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema, indent=2)
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(cli.ending(lambda: write(PARAMS_SCHEMA, schema_text())))
