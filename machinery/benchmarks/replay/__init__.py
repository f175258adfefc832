"""`make replay`: the year as it would have happened, with a gate, without one, and untouched."""
