"""Write params.schema.json, with which an editor completes and checks params.yaml."""

import argparse

from mlops.config.schema import schema_text
from mlops.files import write
from mlops.paths import PARAMS_SCHEMA


def run(_: argparse.Namespace) -> None:
    """Write the schema of the team's and the machinery's parameters."""
    write(PARAMS_SCHEMA, schema_text())
