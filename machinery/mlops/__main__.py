"""Entry point of `python -m mlops`."""

import os

from mlops.cli import console

# Idle OpenMP threads spin by default; on a machine that is also doing something else, training
# then takes several times as long. Read when a library with OpenMP is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if __name__ == "__main__":
    console()
