"""The machinery: the steps that take a model from data to production."""

from pathlib import Path

__version__ = "1.1.0"

PACKAGE = Path(__file__).parent
