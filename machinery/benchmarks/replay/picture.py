"""The picture of the replay: three worlds month by month, the gate's effect and refusals."""

import io
from typing import Any

from benchmarks.replay.worlds import WORLDS, Year

NEVER, ALWAYS, GATED = WORLDS
COLOURS = {NEVER: "#8a8a8a", ALWAYS: "#c0392b", GATED: "#1f6fb2"}
STYLE = {
    # A fixed salt, so that the same figures give the same element ids.
    "svg.hashsalt": "replay",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(year: Year, refused: list[str], bad: str) -> str:
    """Return the picture as SVG, the same text for the same figures."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE):
        size = (10, 2.7 * len(year.metrics) + 0.6)
        figure, axes = pyplot.subplots(len(year.metrics), 2, figsize=size, squeeze=False)
        for (left, right), metric in zip(axes, year.metrics, strict=True):
            better = "higher" if metric.higher_is_better else "lower"
            left.set_title(f"{metric.title} of what was served ({better} is better)", loc="left")
            right.set_title(f"{metric.title}: gated minus always retrained", loc="left")
            _lines(left, year, metric.name)
            _differences(right, year, metric.name)
            for axis in (left, right):
                _months(axis, year, bad)
            _refusals(left, year, refused)
        figure.legend(
            *axes[0, 0].get_legend_handles_labels(), loc="upper center", frameon=False, ncols=4
        )
        figure.tight_layout(rect=(0, 0, 1, 0.95))
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _lines(axis: Any, year: Year, name: str) -> None:
    for world in WORLDS:
        values = [year.interval(name, [month], world)[0] for month in year.months]
        axis.plot(values, color=COLOURS[world], marker="o", ms=4, lw=1.5, label=world)
    # Room for the text below the lines.
    low, high = axis.get_ylim()
    axis.set_ylim(low - 0.15 * (high - low), high)


def _differences(axis: Any, year: Year, name: str) -> None:
    """Draw differences with intervals, in which the variation shared by both worlds cancels."""
    intervals = [year.interval(name, [month], GATED, ALWAYS) for month in year.months]
    value, low, high = zip(*intervals, strict=True)
    bars = ([v - l for v, l in zip(value, low)], [h - v for v, h in zip(value, high)])
    axis.axhline(0, color="#000000", lw=0.8)
    axis.errorbar(range(len(value)), value, bars, color=COLOURS[GATED], fmt="o", ms=4, lw=1.5)


def _months(axis: Any, year: Year, bad: str) -> None:
    """Label the served months and shade the one with inverted labels."""
    axis.set_xticks(range(len(year.months)), year.months, rotation=30)
    if bad in year.months:
        at = year.months.index(bad)
        shade = {"color": "#f6e7c8", "lw": 0, "zorder": 0, "label": "labels arrived inverted"}
        axis.axvspan(at - 0.5, at + 0.5, **shade)


def _refusals(axis: Any, year: Year, refused: list[str]) -> None:
    for month in refused:
        axis.text(
            year.months.index(month),
            0.03,
            "refused",
            ha="center",
            fontsize=8,
            color=COLOURS[GATED],
            transform=axis.get_xaxis_transform(),
        )
