"""Releases: their files, their environments, and the rules for promotion and rollback."""
