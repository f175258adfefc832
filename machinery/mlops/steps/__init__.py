"""One file a step: `steps/gate.py` is `python -m mlops gate`, `make gate` and the job `gate`.

A step module has a docstring (its help, first line shown in the list), `OPTIONS`
(config/options.py) and `run(options) -> int | None` (an exit code of mlops.cli). Steps never
import steps: they meet in the files that mlops.paths names.
"""
