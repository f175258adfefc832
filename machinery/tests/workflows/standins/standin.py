"""What stand-ins share: their inputs, a line in the run's list of actions, and where things lie."""

import json
import os
from pathlib import Path

RUN = Path(os.environ["STANDIN_RUN"])
INPUTS = json.loads(os.environ.get("INPUTS") or "{}")


def tell(action: str) -> None:
    """Note that an action was used, and with what."""
    told = {"action": action, "inputs": INPUTS, "job": os.environ["GITHUB_JOB"]}
    with (RUN / "actions.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")


def output(name: str, value: str) -> None:
    """Set an output of the action."""
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
        file.write(f"{name}={value}\n")


def on(name: str) -> bool:
    """Return whether an input is `true`."""
    return INPUTS.get(name, "").strip().lower() == "true"


if __name__ == "__main__":
    tell(os.environ["ACTION"])
