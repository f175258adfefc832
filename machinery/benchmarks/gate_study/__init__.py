"""How the gate errs, measured: intervals that miss, innocents refused, regressions let through."""
