"""Retraining: what triggers it, and the branch that proposes it."""
