"""The study's tables, between two markers in machinery/docs/gate.md, and its picture."""

import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.gate_study.experiments import FOCUS, MULTIPLES, TIMES, share
from mlops.errors import UserError
from mlops.rules import Verdict

PAGE, PICTURE = Path("machinery/docs/gate.md"), Path("machinery/docs/images/gate-study.svg")
BEGIN, END = "<!-- gate-study: written by `make gate-study` -->", "<!-- gate-study: end -->"
SHOWN = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)


def put(text: str, tables: str) -> str:
    """Return a page with the tables between its markers; raises UserError if they are missing."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.S)
    if len(pattern.findall(text)) != 1:
        raise UserError(f"{PAGE} lacks the lines {BEGIN} and {END}. Put them back, once each.")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{tables}\n\n{END}", text)


def tables(
    coverage: Iterable[tuple], real: dict, innocent: dict, verdicts: dict, planted: dict
) -> str:
    """Return all tables as Markdown."""
    return "\n\n".join(
        [
            "**Intervals that contain the truth**, of 95 % ones (in brackets: by plain quantiles):",
            _coverage(coverage),
            "**Innocent changes**, judged on each partition as it is (number of verdicts):",
            _real(real),
            "**Innocent changes**, judged on drawn months:",
            _drawn(innocent),
            "**Planted regressions**, judged on drawn months of the partition's own length:",
            _planted(verdicts, planted),
            f"**A regression of {FOCUS:g} margins**, judged on more groups; share failed:",
            _longer(verdicts),
        ]
    )


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _coverage(results: Iterable[tuple]) -> str:
    shares: dict[tuple, dict[str, str]] = {}
    for population, other, size, metric, gate, plain in results:
        row = shares.setdefault((population, other, str(size)), {})
        row[metric] = f"{_percent(gate)} ({_percent(plain)})"
    metrics = list(next(iter(shares.values())))
    rows = ([*key, *(row[metric] for metric in metrics)] for key, row in shares.items())
    return _table(["drawn from", "against", "groups", *metrics], rows)


def _real(verdicts: dict[tuple, Counter]) -> str:
    rows = ([name, *(str(counts[kind]) for kind in SHOWN)] for (name,), counts in verdicts.items())
    return _table(["change", *SHOWN], rows)


def _drawn(verdicts: dict[tuple, Counter]) -> str:
    rows = ([metric, name, *_shares(counts)] for (metric, name), counts in sorted(verdicts.items()))
    return _table(["metric", "change", *SHOWN], rows)


def _planted(verdicts: dict[tuple, Counter], planted: dict[tuple, int]) -> str:
    rows = (
        [metric, kind, f"{multiple:g}", str(planted[metric, kind, multiple]), *_shares(counts)]
        for (metric, kind, multiple, times), counts in sorted(verdicts.items())
        if times == 1
    )
    return _table(["metric", "regression", "margins", "partitions", *SHOWN], rows)


def _longer(verdicts: dict[tuple, Counter]) -> str:
    pairs = sorted({key[:2] for key in verdicts if key[2] == FOCUS})
    rows = (
        [*pair, *(_percent(share(verdicts[*pair, FOCUS, t], Verdict.FAIL)) for t in TIMES)]
        for pair in pairs
    )
    months = [f"{t} partition{'s' * (t > 1)}" for t in TIMES]
    return _table(["metric", "regression", *months], rows)


def _shares(counts: Counter) -> list[str]:
    return [_percent(share(counts, kind)) for kind in SHOWN]


def picture(verdicts: dict[tuple, Counter]) -> bytes:
    """Draw the shares of failed and not passed regressions by size, a panel for each metric."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = sorted({key[0] for key in verdicts})
    # A fixed salt and no date: the same figures give the same bytes.
    with plt.rc_context({"svg.hashsalt": "gate-study", "font.size": 10}):
        figure, panels = plt.subplots(
            1, len(names), figsize=(9, 3.6), sharey=True, squeeze=False, layout="constrained"
        )
        for panel, name in zip(panels[0], names):
            _panel(panel, name, verdicts)
        panels[0][0].set_ylabel("share of drawn months, %")
        panels[0][-1].legend(frameon=False, fontsize=8, loc="lower right")
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
        plt.close(figure)
    return written.getvalue()


def _panel(panel, name: str, verdicts: dict[tuple, Counter]) -> None:
    kinds = sorted({key[1] for key in verdicts if key[0] == name})
    for number, kind in enumerate(kinds):
        sizes = [size for size in MULTIPLES if (name, kind, size, 1) in verdicts]
        counts = [verdicts[name, kind, size, 1] for size in sizes]
        failed = [100 * share(one, Verdict.FAIL) for one in counts]
        refused = [100 - 100 * share(one, Verdict.PASS) for one in counts]
        panel.plot(sizes, failed, f"C{number}o-", label=f"failed: {kind}")
        panel.plot(sizes, refused, f"C{number}o:", label=f"not passed: {kind}")
    panel.set(title=name, xlabel="true loss, in margins", ylim=(0, 104), xticks=MULTIPLES)
    panel.axhline(90, color="0.7", linewidth=0.8)
    panel.spines[["top", "right"]].set_visible(False)
