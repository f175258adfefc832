"""Score a file of rows with a bundle; the working directory is the bundle's `src`.

    python -m mlops.serving.score ROWS.parquet SCORES.npy

Writes float64: a score a row, or several (rows, numbers). Exits with 2 if the rows lack a column
that the model needs.
"""

import argparse
import io
import sys
from pathlib import Path

from mlops.exit import exit_now
from mlops.files import write
from mlops.serving.scorer import Scorer


def main() -> int:
    """Read the rows, score them and write the scores; return the exit code."""
    import numpy as np
    import pandas as pd

    parser = argparse.ArgumentParser(prog="python -m mlops.serving.score")
    parser.add_argument("rows", type=Path, metavar="ROWS.parquet")
    parser.add_argument("scores", type=Path, metavar="SCORES.npy")
    options = parser.parse_args()
    scorer = Scorer()
    frame = pd.read_parquet(options.rows)
    missing = [name for name in scorer.fields if name not in frame.columns]
    if missing:
        print(
            f"{options.rows} lacks {', '.join(missing)}, which this model needs.", file=sys.stderr
        )
        return 2
    content = io.BytesIO()
    np.save(content, np.asarray(scorer.predict(frame[list(scorer.fields)]), dtype=float))
    write(options.scores, content.getvalue())
    return 0


if __name__ == "__main__":
    exit_now(main())
