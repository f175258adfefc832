"""The pictures of the page, as SVG that takes its colours and its font from the page's style."""

import html
import io
import re
from dataclasses import dataclass
from typing import Any

from mlops.gate.champion import NOT_WORSE
from mlops.report.parts import compared
from mlops.report.subject import Judged
from mlops.report.tree import plain
from mlops.rules import Verdict

# Placeholders for matplotlib: the SVG replaces each by the page's colour of that name.
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
# Each metric is one row of pictures and costs about 20 ms.
MOST_METRICS = 24
WIDTH = 400
KEYS = ("value", "low", "high")

# Removed from the SVG: unused ids, rotations by 0, and fonts, which the page chooses.
_REMOVED = re.compile(r' id="([\w.-]+)"| transform="rotate\(-0 [^"]*"| ?font-family: [^;]*;|\n *')


@dataclass(frozen=True)
class Picture:
    """Drawings side by side of one subject, with its title and verdict where it has them."""

    drawings: tuple[str, ...]
    title: str = ""
    note: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Limit:
    """A vertical line at a value; dashed where a rule judges by it."""

    label: str
    value: float | None
    judged: bool = True


def draw(judged: Judged) -> dict[str, list[Picture]]:
    """Return the pictures of each plot in the report, by the plot's name."""
    import matplotlib

    curves = {who: c for who, c in judged.evaluation["curves"].items() if c and c["calibration"]}
    with matplotlib.rc_context(STYLE):
        metrics = [_metric(judged, *metric) for metric in judged.metrics[:MOST_METRICS]]
        pictures = {"metrics": metrics}
        if curves:
            pictures["calibration"] = [Picture((_calibration(curves, *compared(judged)),))]
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
        ink = judged.verdict_on(name, (NOT_WORSE,)) or "faint"
        values = {"difference": measured["difference"]}
        drawings.append(_strip(f"{title}: difference", values, limits, higher, ink))
    note = f"{'higher' if higher else 'lower'} is better"
    return Picture(tuple(drawings), title, note, judged.verdict_on(name))


def _strip(
    label: str,
    estimates: dict[str, dict[str, Any]],
    limits: list[Limit],
    higher: bool,
    ink: str | None = None,
) -> str:
    """Draw intervals one below the other on one axis, oriented so that right is better."""
    figure, axes = _axes(WIDTH, 120, (72, 20, 32, 40))
    limits = [limit for limit in limits if limit.value is not None]
    numbers = [estimate[key] for estimate in estimates.values() for key in KEYS]
    low, high = _range([*numbers, *(limit.value for limit in limits)])
    axes.set(xlim=(low, high) if higher else (high, low), ylim=(0, 1))
    heights = [0.72, 0.26] if len(estimates) > 1 else [0.49]
    axes.set_yticks(heights, list(estimates))
    _directions(axes)
    for height, who in zip(heights, estimates):
        _interval(axes, height, estimates[who], INKS[ink or who])
    for level, limit in enumerate(limits):
        _limit(axes, limit, level)
    return _svg(figure, f"{label}, with intervals")


def _directions(axes: Any) -> None:
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
    """Draw a vertical line with its label above, on the side where there is room for it."""
    look = {"color": INKS["fail"], "linestyle": "--"} if limit.judged else {"color": INKS["faint"]}
    axes.axvline(limit.value, linewidth=1, zorder=0, **look)
    at = axes.transAxes.inverted().transform(axes.transData.transform((limit.value, 0)))[0]
    side, shift = ("left", 3) if at < 0.5 else ("right", -3)
    position = {"ha": side, "xycoords": ("data", "axes fraction"), "color": look["color"]}
    _annotate(axes, limit.label, (limit.value, 1), (shift, 4 + 14 * level), **position)


def _annotate(axes: Any, text: str, at: tuple, offset: tuple, **look: Any) -> None:
    axes.annotate(text, at, offset, textcoords="offset points", annotation_clip=False, **look)


def _calibration(curves: dict[str, Any], score: str, outcome: str) -> str:
    figure, axes = _axes(WIDTH, 320, (60, 12, 10, 44))
    tenths = {who: curve["calibration"] for who, curve in curves.items()}
    both = [t[key] for part in tenths.values() for t in part for key in ("score", "target")]
    low, high = _range(both)
    axes.plot([low, high], [low, high], color=INKS["faint"], linewidth=0.8, linestyle="--")
    for who, part in reversed(tenths.items()):
        across, upward = [t["score"] for t in part], [t["target"] for t in part]
        axes.plot(across, upward, "o-", color=INKS[who], markersize=4.5, linewidth=1.4, label=who)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel=score, ylabel=outcome)
    _legend(axes)
    return _svg(figure, f"{outcome} against {score}")


def _scores(curves: dict[str, Any]) -> str:
    figure, axes = _axes(WIDTH, 320, (46, 12, 10, 44))
    for who, curve in reversed(curves.items()):
        edges, rows = curve["histogram"]["edges"], curve["histogram"]["rows"]
        widths = [high - low for low, high in zip(edges, edges[1:])]
        # Each model has bins of its own, so only densities are comparable.
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
    """Return a figure of this size in points and its axes; margins are left, right, top, bottom."""
    from matplotlib.figure import Figure

    left, right, top, bottom = margins
    figure = Figure(figsize=(width / 72, height / 72))
    inner = (width - left - right) / width, (height - top - bottom) / height
    return figure, figure.add_axes((left / width, bottom / height, *inner))


def _range(values: list[float | None]) -> tuple[float, float]:
    """Return the ends of an axis, with some room around the values that are not None."""
    numbers = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(numbers), max(numbers)
    room = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    return low - room, high + room


def _svg(figure: Any, label: str) -> str:
    """Return the drawing as an SVG element without namespace, colours or font of its own."""
    import matplotlib

    out, label = io.StringIO(), plain(label, 200)
    # Ids are hashes of content and this salt, so the same drawing gives the same text.
    with matplotlib.rc_context({"svg.hashsalt": label}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    box, body = text.index("viewBox"), text.index("<g id")
    used = set(re.findall(r"#([\w-]+)[\")]", text))
    drawn = _REMOVED.sub(lambda match: match[0] if match[1] in used else "", text[body:])
    for name, ink in INKS.items():
        drawn = drawn.replace(ink, f"var(--{name})")
    size = text[box : text.index('"', box + 9) + 1]
    return f'<svg role="img" aria-label="{html.escape(label)}" {size}>{drawn}'
