"""The command line: `python -m mlops <step> [<step> ...] [options]`."""

import argparse
import importlib
import os
import re
import select
import sys
from collections.abc import Callable
from types import ModuleType
from typing import NoReturn

from mlops.console import complain
from mlops.errors import Refused, UserError, unforeseen
from mlops.exit import leave
from mlops.rules import Verdict

PASS, FAIL, USAGE, INCONCLUSIVE = 0, 1, 2, 3
# As a shell says it of a program whose reader went away.
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
    "own the repository": ("doctor", "github-setup", "audit", "upgrade", "thin", "thick"),
    "maintain the template": ("demo", "schema", "dashboards", "release"),
}

EXITS = """\
exit codes
  0  done; the verdict of gate, load test or monitor is pass
  1  refused: a rule said no (verdict fail), or a promotion or deployment was turned down
  2  a mistake in the command, a parameter, a file, the data or code, named in the message
  3  inconclusive: too little evidence to say yes or no; never promotes by itself
  130, 141  cut short: by Ctrl-C, or because what read the output went away

Several steps run in one process, in the order given, and stop at the first that does not exit 0:
  python -m mlops train evaluate report gate
  python -m mlops promote deploy loadtest --env staging
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong as argparse does, and where an option is missing how make takes it."""
        missing = re.findall(r"--(\w+)", message) if "are required" in message else []
        words = " ".join(f"{name.upper()}=..." for name in missing)
        super().error(f"{message} (make: {words})" if words else message)


def step_module(name: str) -> ModuleType:
    """Import the module of a step, e.g. `check-data` from machinery/mlops/steps/check_data.py."""
    return importlib.import_module(f"mlops.steps.{name.replace('-', '_')}")


def build_parser(steps: list[str]) -> argparse.ArgumentParser:
    """Make the parser for the steps named, with the options those steps take."""
    parser = _Parser(
        prog="python -m mlops",
        description=_describe(steps),
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    known = [name for names in GROUPS.values() for name in names]
    parser.add_argument("steps", nargs="+", choices=known, metavar="step", help=argparse.SUPPRESS)
    options = [option for name in steps for option in getattr(step_module(name), "OPTIONS", ())]
    # Two steps may ask for one flag, one of them as an optional: the demand wins.
    for option in {o.flag: o for o in sorted(options, key=lambda o: o.required)}.values():
        option.add_to(parser)
    return parser


def _describe(steps: list[str]) -> str:
    if steps:
        return "\n\n".join(f"{name}: {step_module(name).__doc__.strip()}" for name in steps)
    lines = ["The steps of a model's life. `python -m mlops <step> --help` explains one.", ""]
    for group, names in GROUPS.items():
        lines.append(f"{group}:")
        lines += [f"  {n:<12} {step_module(n).__doc__.strip().splitlines()[0]}" for n in names]
    return "\n".join(lines)


def console() -> NoReturn:
    """Run the command `mlops`, and end its process as `python -m mlops` does."""
    # The team's code is found where the command runs, as Python itself does for `-m`.
    sys.path.insert(0, os.getcwd())
    leave(main())


def main(arguments: list[str] | None = None) -> int:
    """Run the steps named on the command line and return the exit code (see EXITS)."""
    return ending(lambda: _main(sys.argv[1:] if arguments is None else arguments))


def _main(arguments: list[str]) -> int:
    known = {name for names in GROUPS.values() for name in names}
    parser = build_parser([word for word in arguments if word in known])
    if not arguments:
        parser.print_help()
        return PASS
    return _run(parser.parse_args(arguments))


def ending(
    run: Callable[[], int | None], again: str = "run the same command again to go on"
) -> int:
    """Run something and return how it ended, as an exit code (see EXITS); a mistake is told.

    `again` is what somebody may do who stopped it.
    """
    try:
        return run() or PASS
    except UserError as error:
        complain(f"error: {error}")
        return USAGE
    except Refused as refusal:
        complain(f"refused: {refusal}")
        return FAIL
    except KeyboardInterrupt:
        complain(f"stopped by the user; {again}.")
        return 130
    # Python's own code for it is 1, which says here that a rule refused.
    except Exception as error:  # pylint: disable=broad-exception-caught
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return CUT_SHORT
        complain(unforeseen(error))
        return USAGE


def _nobody_reads() -> bool:
    """Say whether what reads the output went away, as in `... | head`; then no more is written."""
    asked = select.poll()
    asked.register(STDOUT, select.POLLOUT)
    gone = any(event & select.POLLERR for _, event in asked.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return gone


def _run(options: argparse.Namespace) -> int:
    """Run steps in turn until one does not end well."""
    for name in options.steps:
        code = step_module(name).run(options)
        if code:
            return code
    return PASS
