"""The command line: `python -m mlops <step> [<step> ...] [options]`."""

import argparse
import importlib
import os
import re
import select
import sys
from collections.abc import Callable
from itertools import takewhile
from types import ModuleType
from typing import NoReturn

from mlops.console import print_error
from mlops.errors import Refused, UserError, unexpected_message
from mlops.exit import exit_now
from mlops.rules import Verdict

PASS, FAIL, USAGE, INCONCLUSIVE = 0, 1, 2, 3
# The code that a shell gives a program whose output nobody reads any more (SIGPIPE).
CUT_SHORT = 141
STDOUT = 1
EXIT = {Verdict.PASS: PASS, Verdict.FAIL: FAIL, Verdict.INCONCLUSIVE: INCONCLUSIVE}

GROUPS = {
    "develop a model": (
        "check-data",
        "train",
        "evaluate",
        "report",
        "gate",
        "export",
        "package",
        "image",
        "sbom",
        "sign",
        "serve",
    ),
    "answer a pull request": ("ci", "plan", "check-release", "all-green", "comment"),
    "move a release": (
        "promote",
        "propose",
        "due",
        "deploy",
        "advance",
        "loadtest",
        "rollback",
        "render",
    ),
    "look after it": ("status", "monitor", "retrain", "down"),
    "own the repository": ("start", "doctor", "github-setup", "audit", "upgrade", "thin", "thick"),
    "maintain the template": ("demo", "schema", "dashboards", "release"),
}

EXIT_HELP = """\
exit codes
  0  done; the verdict of gate, load test or monitor is pass
  1  refused: a rule failed (verdict fail), or a promotion or deployment was refused
  2  a mistake in the command, a parameter, a file, the data or code; the message names it
  3  inconclusive: too little evidence to pass or fail; never promotes by itself
  130, 141  interrupted: by Ctrl-C, or because the reader of the output is gone

Several steps run in one process, in the order on the command line, and stop at the first that does
not exit 0:
  python -m mlops train evaluate report gate
  python -m mlops promote deploy loadtest --env staging
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print argparse's message; for a missing option add the spelling that make takes."""
        missing = re.findall(r"--(\w+)", message) if "are required" in message else []
        variables = " ".join(f"{name.upper()}=..." for name in missing)
        super().error(f"{message} (make: {variables})" if variables else message)


def step_module(name: str) -> ModuleType:
    """Import the module of a step, e.g. `check-data` from machinery/mlops/steps/check_data.py."""
    return importlib.import_module(f"mlops.steps.{name.replace('-', '_')}")


def build_parser(steps: list[str]) -> argparse.ArgumentParser:
    """Return the parser for these steps and their options."""
    parser = _Parser(
        prog="python -m mlops",
        description=_describe(steps),
        epilog=EXIT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    all_steps = [name for names in GROUPS.values() for name in names]
    parser.add_argument(
        "steps", nargs="+", choices=all_steps, metavar="step", help=argparse.SUPPRESS
    )
    options = [option for name in steps for option in getattr(step_module(name), "OPTIONS", ())]
    # Two steps may declare the same flag; it is required if one of them requires it.
    for option in {o.flag: o for o in sorted(options, key=lambda o: o.required)}.values():
        option.add_to(parser)
    return parser


def _describe(steps: list[str]) -> str:
    if steps:
        return "\n\n".join(f"{name}: {_documentation(name)}" for name in steps)
    lines = ["The steps of a model's life. `python -m mlops <step> --help` explains one.", ""]
    for group, names in GROUPS.items():
        lines.append(f"{group}:")
        lines += [f"  {name:<12} {_documentation(name).splitlines()[0]}" for name in names]
    return "\n".join(lines)


def _documentation(step: str) -> str:
    # PYTHONOPTIMIZE=2 leaves out what explains the code.
    return (step_module(step).__doc__ or "no explanation under PYTHONOPTIMIZE=2").strip()


def console() -> NoReturn:
    """Run the command `mlops` and end the process, as `python -m mlops` does."""
    # Imports the team's code from the current folder, as Python does for `-m`.
    sys.path.insert(0, os.getcwd())
    exit_now(main())


def main(arguments: list[str] | None = None) -> int:
    """Run the steps of the command line and return the exit code (see EXIT_HELP)."""
    return exit_code_of(lambda: _main(sys.argv[1:] if arguments is None else arguments))


def _main(arguments: list[str]) -> int:
    all_steps = {name for names in GROUPS.values() for name in names}
    # A step's name may also be the value of an option, as in `sign --new-key release`.
    leading = takewhile(lambda argument: not argument.startswith("-"), arguments)
    parser = build_parser([argument for argument in leading if argument in all_steps])
    if not arguments:
        parser.print_help()
        return PASS
    return _run(parser.parse_args(arguments))


def exit_code_of(
    run: Callable[[], int | None], remedy: str = "run the same command again to go on"
) -> int:
    """Run a function, print its error if it raises one, and return the exit code (EXIT_HELP).

    `remedy` is printed after an interruption by the user.
    """
    try:
        return run() or PASS
    except UserError as error:
        print_error(f"error: {error}")
        return USAGE
    except Refused as refusal:
        print_error(f"refused: {refusal}")
        return FAIL
    except KeyboardInterrupt:
        print_error(f"stopped by the user; {remedy}.")
        return 130
    # Python would exit with 1, which here means that a rule refused.
    except Exception as error:  # pylint: disable=broad-exception-caught
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            return CUT_SHORT
        print_error(unexpected_message(error))
        return USAGE


def _reader_is_gone() -> bool:
    """Return whether the reader of the output is gone (`... | head`); discard further output."""
    poll = select.poll()
    poll.register(STDOUT, select.POLLOUT)
    gone = any(event & select.POLLERR for _, event in poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return gone


def _run(options: argparse.Namespace) -> int:
    """Run the steps in turn until one exits with another code than 0."""
    for name in options.steps:
        code = step_module(name).run(options)
        if code:
            return code
    return PASS
