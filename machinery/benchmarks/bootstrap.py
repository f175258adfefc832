"""The cost of the intervals of AUC and log loss: python machinery/benchmarks/bootstrap.py

Compares two models on synthetic rows of 30, 365 or no groups, with 10,000 replicates, each case in
a process of its own. Prints the seconds, the memory of the rows and the peak memory.
"""

import multiprocessing
import resource
import time

import numpy as np

from mlops.config.params import EvaluateParams
from mlops.statistics.bootstrap import Comparison
from mlops.statistics.metrics import BUILT_IN

CASES = [
    (27_000, 30),
    (27_000, None),
    (300_000, 365),
    (3_000_000, 365),
    (10_000_000, 365),
    (10_000_000, None),
]
SETTINGS = EvaluateParams(replicates=10_000)


def measure(rows: int, groups: int | None) -> tuple[float, float, float]:
    """Return the seconds of the comparison, the MB of its rows and the peak MB of the process."""
    random = np.random.default_rng(0)
    one = random.beta(2, 5, rows)
    other = np.clip(one + random.normal(0, 0.05, rows), 0.001, 0.999)
    target = (random.random(rows) < one).astype(np.int8)
    values = None if groups is None else random.integers(0, groups, rows, dtype=np.int16)
    inputs = sum(array.nbytes for array in (one, other, target, values) if array is not None)
    # Imports scipy.sparse, which is not part of the measured time.
    BUILT_IN["auc"].prepare(target[:9], one[:9], np.zeros(9, int), 1)
    start = time.perf_counter()
    comparison = Comparison(target, values, SETTINGS)
    for name in ("auc", "log_loss"):
        comparison.estimates(BUILT_IN[name], one, other)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return seconds, inputs / 2**20, peak


def main() -> None:
    """Print a line for each case."""
    print(f"{'rows':>10} {'groups':>7} {'seconds':>8} {'rows, MB':>9} {'peak, MB':>9}")
    for rows, groups in CASES:
        # A new process, because the peak memory of a process never falls.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, inputs, peak = pool.apply(measure, (rows, groups))
        shown = "none" if groups is None else groups
        print(f"{rows:>10,} {shown:>7} {seconds:>8.2f} {inputs:>9,.0f} {peak:>9,.0f}", flush=True)


if __name__ == "__main__":
    main()
