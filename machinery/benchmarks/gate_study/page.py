"""The study's tables, between markers of machinery/docs/gate.md, and its picture."""

import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.gate_study.experiments import LONGER, LOOKED_AT, MULTIPLES, share
from mlops.errors import UserError
from mlops.rules import Verdict

PAGE, PICTURE = Path("machinery/docs/gate.md"), Path("machinery/docs/images/gate-study.svg")
BEGIN, END = "<!-- gate-study: written by `make gate-study` -->", "<!-- gate-study: end -->"
SHOWN = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)


def put(text: str, tables: str) -> str:
    """Return a page with the tables between its markers; raises UserError where these are gone."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.S)
    if len(pattern.findall(text)) != 1:
        raise UserError(f"{PAGE} lacks the lines {BEGIN} and {END}, between which tables go.")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{tables}\n\n{END}", text)


def tables(
    coverage: Iterable[tuple], real: dict, innocent: dict, found: dict, planted: dict
) -> str:
    """Return all tables as Markdown."""
    return "\n\n".join(
        [
            "**Intervals that hold the truth**, of 95 % ones (in brackets: by plain quantiles):",
            _coverage(coverage),
            "**Innocent changes**, judged on each partition as it is (number of verdicts):",
            _real(real),
            "**Innocent changes**, judged on drawn months:",
            _drawn(innocent),
            "**Planted regressions**, judged on drawn months of the partition's own length:",
            _planted(found, planted),
            f"**A regression of {LOOKED_AT:g} margins**, judged on more groups; share failed:",
            _longer(found),
        ]
    )


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _coverage(found: Iterable[tuple]) -> str:
    shares: dict[tuple, dict[str, str]] = {}
    for population, other, size, metric, kept, plain in found:
        row = shares.setdefault((population, other, str(size)), {})
        row[metric] = f"{_percent(kept)} ({_percent(plain)})"
    metrics = list(next(iter(shares.values())))
    rows = ([*key, *(row[metric] for metric in metrics)] for key, row in shares.items())
    return _table(["drawn from", "against", "groups", *metrics], rows)


def _real(found: dict[tuple, Counter]) -> str:
    rows = ([name, *(str(counts[kind]) for kind in SHOWN)] for (name,), counts in found.items())
    return _table(["change", *SHOWN], rows)


def _drawn(found: dict[tuple, Counter]) -> str:
    rows = ([metric, name, *_shares(counts)] for (metric, name), counts in sorted(found.items()))
    return _table(["metric", "change", *SHOWN], rows)


def _planted(found: dict[tuple, Counter], planted: dict[tuple, int]) -> str:
    rows = (
        [metric, kind, f"{multiple:g}", str(planted[metric, kind, multiple]), *_shares(counts)]
        for (metric, kind, multiple, times), counts in sorted(found.items())
        if times == 1
    )
    return _table(["metric", "regression", "margins", "partitions", *SHOWN], rows)


def _longer(found: dict[tuple, Counter]) -> str:
    pairs = sorted({key[:2] for key in found if key[2] == LOOKED_AT})
    rows = (
        [*pair, *(_percent(share(found[*pair, LOOKED_AT, t], Verdict.FAIL)) for t in LONGER)]
        for pair in pairs
    )
    months = [f"{t} partition{'s' * (t > 1)}" for t in LONGER]
    return _table(["metric", "regression", *months], rows)


def _shares(counts: Counter) -> list[str]:
    return [_percent(share(counts, kind)) for kind in SHOWN]


def picture(found: dict[tuple, Counter]) -> bytes:
    """Draw the share of regressions refused and failed by their size, a panel a metric; SVG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = sorted({key[0] for key in found})
    # A fixed salt and no date: the same figures give the same bytes.
    with plt.rc_context({"svg.hashsalt": "gate-study", "font.size": 10}):
        figure, panels = plt.subplots(
            1, len(names), figsize=(9, 3.6), sharey=True, squeeze=False, layout="constrained"
        )
        for panel, name in zip(panels[0], names):
            _panel(panel, name, found)
        panels[0][0].set_ylabel("share of drawn months, %")
        panels[0][-1].legend(frameon=False, fontsize=8, loc="lower right")
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
        plt.close(figure)
    return written.getvalue()


def _panel(panel, name: str, found: dict[tuple, Counter]) -> None:
    kinds = sorted({key[1] for key in found if key[0] == name})
    for number, kind in enumerate(kinds):
        sizes = [size for size in MULTIPLES if (name, kind, size, 1) in found]
        counts = [found[name, kind, size, 1] for size in sizes]
        failed = [100 * share(one, Verdict.FAIL) for one in counts]
        refused = [100 - 100 * share(one, Verdict.PASS) for one in counts]
        panel.plot(sizes, failed, f"C{number}o-", label=f"failed: {kind}")
        panel.plot(sizes, refused, f"C{number}o:", label=f"not passed: {kind}")
    panel.set(title=name, xlabel="true loss, in margins", ylim=(0, 104), xticks=MULTIPLES)
    panel.axhline(90, color="0.7", linewidth=0.8)
    panel.spines[["top", "right"]].set_visible(False)
