"""The pictures of the page, as SVG that takes its colours and its font from the page's style."""

import html
import io
import re
from dataclasses import dataclass
from typing import Any

from mlops.report.subject import Judged
from mlops.report.tree import plain
from mlops.rules import NOT_WORSE, Verdict

# Drawn in these, then handed over to the page: its light and dark inks have the names on the left.
INKS = {
    "ink": "#000001",
    "faint": "#000002",
    "candidate": "#000003",
    "champion": "#000004",
    "pass": "#000005",
    "inconclusive": "#000006",
    "fail": "#000007",
}
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 11,
    "axes.linewidth": 0.8,
    "axes.edgecolor": INKS["faint"],
    "axes.labelcolor": INKS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INKS["ink"],
    "xtick.color": INKS["faint"],
    "ytick.color": INKS["faint"],
    "xtick.labelcolor": INKS["ink"],
    "ytick.labelcolor": INKS["ink"],
    "lines.solid_capstyle": "butt",
}
# A metric is a row of pictures, and each costs about 20 ms.
MOST_METRICS = 24
WIDTH = 400
KEYS = ("value", "low", "high")

# Names that nothing refers to, turns by nothing, and a font that is the page's to choose.
_UNWANTED = re.compile(r' id="([\w.-]+)"| transform="rotate\(-0 [^"]*"| ?font-family: [^;]*;|\n *')


@dataclass(frozen=True)
class Picture:
    """Drawings side by side about one thing, with its title and verdict where it has them."""

    drawings: tuple[str, ...]
    title: str = ""
    note: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Limit:
    """An upright line at a value; dashed where a rule goes by it."""

    label: str
    value: float | None
    judged: bool = True


def draw(judged: Judged) -> dict[str, list[Picture]]:
    """Return the pictures that stand for each plot of the report, by the plot's name."""
    import matplotlib

    curves = {who: c for who, c in judged.evaluation["curves"].items() if c and c["calibration"]}
    with matplotlib.rc_context(STYLE):
        metrics = [_metric(judged, *metric) for metric in judged.metrics[:MOST_METRICS]]
        pictures = {"metrics": metrics}
        if curves:
            pictures["calibration"] = [Picture((_calibration(curves),))]
            pictures["scores"] = [Picture((_scores(curves),))]
    return pictures


def _metric(judged: Judged, name: str, measured: dict[str, Any]) -> Picture:
    higher, gate = measured["higher_is_better"], judged.gate
    limits = [
        Limit("constant", measured["constant"], name in gate.beat_constant),
        Limit("bound", gate.bounds.get(name)),
    ]
    values = {who: measured[who] for who in ("candidate", "champion") if who in measured}
    title = measured["title"]
    drawings = [_strip(f"{title}: {' and '.join(values)}", values, limits, higher)]
    if "difference" in measured:
        margin = gate.margins.get(name)
        limits = [
            Limit("margin", None if margin is None else (-margin if higher else margin)),
            Limit("", 0.0, judged=False),
        ]
        ink = judged.said(name, (NOT_WORSE,)) or "faint"
        values = {"difference": measured["difference"]}
        drawings.append(_strip(f"{title}: difference", values, limits, higher, ink))
    note = f"{'higher' if higher else 'lower'} is better"
    return Picture(tuple(drawings), title, note, judged.said(name))


def _strip(
    says: str,
    estimates: dict[str, dict[str, Any]],
    limits: list[Limit],
    higher: bool,
    ink: str | None = None,
) -> str:
    """Draw intervals one below the other on one axis, turned so that better is to the right."""
    figure, axes = _axes(WIDTH, 120, (72, 20, 32, 40))
    limits = [limit for limit in limits if limit.value is not None]
    numbers = [estimate[key] for estimate in estimates.values() for key in KEYS]
    low, high = _range([*numbers, *(limit.value for limit in limits)])
    axes.set(xlim=(low, high) if higher else (high, low), ylim=(0, 1))
    heights = [0.72, 0.26] if len(estimates) > 1 else [0.49]
    axes.set_yticks(heights, list(estimates))
    _signposts(axes)
    for height, who in zip(heights, estimates):
        _interval(axes, height, estimates[who], INKS[ink or who])
    for level, limit in enumerate(limits):
        _limit(axes, limit, level)
    return _svg(figure, f"{says}, with intervals")


def _signposts(axes: Any) -> None:
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=5)
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    look = {"xycoords": "axes fraction", "color": INKS["faint"]}
    _annotate(axes, "worse", (0, 0), (0, -29), ha="left", **look)
    _annotate(axes, "better", (1, 0), (0, -29), ha="right", **look)


def _interval(axes: Any, height: float, estimate: dict[str, Any], ink: str) -> None:
    value, low, high = (estimate[key] for key in KEYS)
    if low is not None:
        axes.plot([low, high], [height, height], color=ink, linewidth=2.2)
    if value is not None:
        axes.plot([value], [height], "o", color=ink, markersize=6.5)


def _limit(axes: Any, limit: Limit, level: int) -> None:
    """Draw an upright line with its label above, on the side where there is room for it."""
    look = {"color": INKS["fail"], "linestyle": "--"} if limit.judged else {"color": INKS["faint"]}
    axes.axvline(limit.value, linewidth=1, zorder=0, **look)
    at = axes.transAxes.inverted().transform(axes.transData.transform((limit.value, 0)))[0]
    side, shift = ("left", 3) if at < 0.5 else ("right", -3)
    place = {"ha": side, "xycoords": ("data", "axes fraction"), "color": look["color"]}
    _annotate(axes, limit.label, (limit.value, 1), (shift, 4 + 14 * level), **place)


def _annotate(axes: Any, text: str, at: tuple, offset: tuple, **look: Any) -> None:
    axes.annotate(text, at, offset, textcoords="offset points", annotation_clip=False, **look)


def _calibration(curves: dict[str, Any]) -> str:
    figure, axes = _axes(WIDTH, 320, (46, 12, 10, 44))
    tenths = {who: curve["calibration"] for who, curve in curves.items()}
    both = [t[key] for part in tenths.values() for t in part for key in ("score", "target")]
    low, high = _range(both)
    axes.plot([low, high], [low, high], color=INKS["faint"], linewidth=0.8, linestyle="--")
    for who, part in reversed(tenths.items()):
        across, upward = [t["score"] for t in part], [t["target"] for t in part]
        axes.plot(across, upward, "o-", color=INKS[who], markersize=4.5, linewidth=1.4, label=who)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="mean score", ylabel="mean outcome")
    _legend(axes)
    return _svg(figure, "mean outcome against mean score")


def _scores(curves: dict[str, Any]) -> str:
    figure, axes = _axes(WIDTH, 320, (46, 12, 10, 44))
    for who, curve in reversed(curves.items()):
        edges, rows = curve["histogram"]["edges"], curve["histogram"]["rows"]
        widths = [high - low for low, high in zip(edges, edges[1:])]
        # Each model has its own steps: only densities can be laid over each other.
        density = [count / sum(rows) / width for count, width in zip(rows, widths)]
        axes.stairs(density, edges, color=INKS[who], linewidth=1.4, label=who)
        if who == "candidate":
            axes.stairs(density, edges, fill=True, color=INKS[who], alpha=0.15)
    axes.set(xlabel="score", ylabel="density of rows", ylim=(0, None))
    _legend(axes)
    return _svg(figure, "distribution of the scores")


def _legend(axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False, loc="best", handlelength=1.4)


def _axes(width: int, height: int, margins: tuple[int, int, int, int]) -> tuple[Any, Any]:
    """Return a figure of this size in points and its axes, kept off left, right, top and bottom."""
    from matplotlib.figure import Figure

    left, right, top, bottom = margins
    figure = Figure(figsize=(width / 72, height / 72))
    inner = (width - left - right) / width, (height - top - bottom) / height
    return figure, figure.add_axes((left / width, bottom / height, *inner))


def _range(values: list[float | None]) -> tuple[float, float]:
    """Return ends of an axis with some room around the values there are."""
    found = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(found), max(found)
    room = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    return low - room, high + room


def _svg(figure: Any, says: str) -> str:
    """Return the drawing as an element of the page, without address, ink or font of its own."""
    import matplotlib

    out, says = io.StringIO(), plain(says, 200)
    # Ids are hashes of what they name and this salt: the same drawing twice is the same text.
    with matplotlib.rc_context({"svg.hashsalt": says}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    box, body = text.index("viewBox"), text.index("<g id")
    used = set(re.findall(r"#([\w-]+)[\")]", text))
    drawn = _UNWANTED.sub(lambda found: found[0] if found[1] in used else "", text[body:])
    for name, ink in INKS.items():
        drawn = drawn.replace(ink, f"var(--{name})")
    size = text[box : text.index('"', box + 9) + 1]
    return f'<svg role="img" aria-label="{html.escape(says)}" {size}>{drawn}'
