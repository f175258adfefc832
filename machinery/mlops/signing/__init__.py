"""Who vouches for a release: one signed statement over all it pins, kept beside its bundle."""
