"""Signatures of releases: a signed statement with a release's digests, stored beside its bundle."""
