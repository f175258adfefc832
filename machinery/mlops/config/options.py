"""Command-line options, and those that several steps share, such as `--env`."""

from argparse import ArgumentParser
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """One command-line option of a step."""

    flag: str
    help: str
    metavar: str | None = None
    required: bool = False
    switch: bool = False

    def add_to(self, parser: ArgumentParser) -> None:
        """Declare this option on a parser."""
        if self.switch:
            parser.add_argument(self.flag, action="store_true", help=self.help)
        else:
            keywords = {"metavar": self.metavar, "required": self.required, "help": self.help}
            parser.add_argument(self.flag, **keywords)


ENV = Option("--env", "the environment: a folder below environments/", "NAME", required=True)
