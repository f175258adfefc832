"""The first day of a fork: a table becomes `data/`, `model/`, `params.yaml` and a report."""
