"""Tests of a team's own `data/`, `model/` and `environments/`; `make test` runs them."""
