"""One picture: the metrics of the three worlds month by month, and what was refused."""

import io

from mlops.replay.worlds import WORLDS, Year

COLOURS = dict(zip(WORLDS, ("#888888", "#c0392b", "#1f6fb2"), strict=True))
STYLE = {
    "svg.hashsalt": "replay",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(year: Year, refused: list[str], bad: str) -> str:
    """Return the picture as SVG, the same text for the same figures."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(
            len(year.metrics), 1, figsize=(8.5, 3 * len(year.metrics)), sharex=True, squeeze=False
        )
        for axis, metric in zip(axes[:, 0], year.metrics, strict=True):
            _panel(axis, year, metric.name)
            axis.set_ylabel(metric.title)
            _marks(axis, year, refused, bad)
        axes[0, 0].legend(loc="upper right", frameon=False, ncols=len(WORLDS), fontsize=9)
        axes[-1, 0].set_xticks(range(len(year.months)), year.months)
        axes[-1, 0].set_xlabel("month served; bars are intervals by a bootstrap over days")
        figure.tight_layout()
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _panel(axis, year: Year, name: str) -> None:
    """Draw a line a world, side by side so that the bars can be told apart."""
    for shift, world in zip((-0.12, 0, 0.12), WORLDS, strict=True):
        found = [year.interval(name, [month], world) for month in year.months]
        value, low, high = zip(*found, strict=True)
        bars = ([v - l for v, l in zip(value, low)], [h - v for v, h in zip(value, high)])
        at = [position + shift for position in range(len(value))]
        colour = COLOURS[world]
        axis.errorbar(at, value, bars, color=colour, marker="o", ms=4, lw=1.4, elinewidth=0.9)
        axis.plot([], [], color=colour, marker="o", ms=4, lw=1.4, label=world)


def _marks(axis, year: Year, refused: list[str], bad: str) -> None:
    """Shade the month whose data came spoilt and mark each month whose proposal was refused."""
    if bad in year.months:
        position = year.months.index(bad)
        axis.axvspan(position - 0.5, position + 0.5, color="#f3e3c3", lw=0, zorder=0)
        top = axis.get_xaxis_transform()
        axis.text(position, 0.03, "labels arrive inverted", ha="center", fontsize=8, transform=top)
    for month in refused:
        axis.text(
            year.months.index(month),
            0.10,
            "refused",
            ha="center",
            fontsize=8,
            color=COLOURS[WORLDS[2]],
            transform=axis.get_xaxis_transform(),
        )
