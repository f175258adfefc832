"""`make replay`: a simulated year with the gate, without it, and without any retraining."""
