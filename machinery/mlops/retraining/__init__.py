"""Retraining: its triggers, and the branch that proposes it."""
