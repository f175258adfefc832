"""Measured errors of the gate: coverage of intervals, false refusals, missed regressions."""
