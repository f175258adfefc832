"""Round numbers, as people write them."""

import math

STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


def nice(value: float, up: bool = True) -> float:
    """Return the next round number above (or below) a positive value: 1, 1.5, 2, 2.5, 3, 4 ..."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    steps = [step * unit for step in STEPS]
    near = [step for step in steps if (step >= value * 0.999 if up else step <= value * 1.001)]
    return float(f"{(min(near) if up else max(near)):.12g}")
