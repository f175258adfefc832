"""Upgrade the machinery to another release, and install it or put it into the tree."""
