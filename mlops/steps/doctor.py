"""Say whether the guards exist, here and on GitHub, and would bite; name the remedy of each."""

import argparse


def run(_: argparse.Namespace) -> None:
    """Look."""
