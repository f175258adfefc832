"""The text output of the replay: a line for each month, and tables that compare the worlds."""

from collections.abc import Sequence
from typing import Any

from benchmarks.replay.worlds import WORLDS, Year
from mlops.statistics.metrics import Metric

Story = list[dict[str, Any]]
NEVER, ALWAYS, GATED = WORLDS


def line(entry: dict[str, Any], seconds: float) -> str:
    """Return one line about a month: the serving release, the decision and its reason."""
    served = f"{entry['month']}  served by {entry['release'].rsplit('-', 2)[1]}"
    if "decision" not in entry:
        return f"{served}  ({seconds:.0f} s)"
    return f"{served}  {entry['decision'].upper():<12} {entry['why']}  ({seconds:.0f} s)"


def render(year: Year, story: Story, bad: str) -> str:
    """Return a table for each metric, the differences to the gated world, and the refusals."""
    parts = [_metric(year, metric) for metric in year.metrics]
    parts += [_differences(year, metric, bad) for metric in year.metrics]
    parts.append(_refused(story))
    return "\n\n".join(parts) + "\n"


def _metric(year: Year, metric: Metric) -> str:
    better = "higher" if metric.higher_is_better else "lower"
    rows = [
        [month, *(_cell(year.interval(metric.name, [month], world)) for world in WORLDS)]
        for month in year.months
    ]
    rows.append(
        ["mean", *(_cell(year.interval(metric.name, year.months, world)) for world in WORLDS)]
    )
    return _table([f"{metric.title} ({better} is better)", *WORLDS], rows)


def _differences(year: Year, metric: Metric, bad: str) -> str:
    """Compare the gated world with the others, before and after training on the bad month."""
    # A model trained on the bad month serves two months after it.
    after = year.months.index(bad) + 2
    spans = [(year.months[:after], "clean"), (year.months[after:], "after the bad one")]
    rows = []
    for months, what in [*spans, (year.months, "all")]:
        span = f"{months[0]} to {months[-1]}, {what}"
        cells = [_signed(year.interval(metric.name, months, GATED, w)) for w in (NEVER, ALWAYS)]
        rows.append([span, *cells])
    title = f"{metric.title}: gated minus"
    return _table([title, NEVER, ALWAYS], rows)


def _refused(story: Story) -> str:
    refused = [s for s in story if s.get("decision") not in (None, "pass")]
    if not refused:
        return "The gate refused nothing."
    lines = [f"- {s['month']}, {s['decision']}: {s['why']}" for s in refused]
    return "Refusals of the gate, with their reasons:\n\n" + "\n".join(lines)


def _table(head: Sequence[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    padded = ([cell.ljust(width) for cell, width in zip(l, widths, strict=True)] for l in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


def _cell(interval: tuple[float, float, float]) -> str:
    value, low, high = interval
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _signed(interval: tuple[float, float, float]) -> str:
    value, low, high = interval
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


def plain(year: Year, story: Story) -> dict[str, Any]:
    """Return the figures and the decisions as plain values for JSON."""
    figures = {
        metric.name: {
            month: {world: year.interval(metric.name, [month], world) for world in WORLDS}
            for month in year.months
        }
        for metric in year.metrics
    }
    return {"metrics": figures, "story": story}
