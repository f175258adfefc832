"""The releases: what they are, which environment holds which, and what may move."""
