"""What the replay says: a line a month while it runs, and the comparison of the worlds."""

from collections.abc import Sequence
from typing import Any

from benchmarks.replay.worlds import WORLDS, Year
from mlops.statistics.metrics import Metric

Story = list[dict[str, Any]]
NEVER, ALWAYS, GATED = WORLDS


def line(told: dict[str, Any], seconds: float) -> str:
    """Return one line about a month: who served it, what was decided and why."""
    served = f"{told['month']}  served by {told['release'].rsplit('-', 2)[1]}"
    if "decision" not in told:
        return f"{served}  ({seconds:.0f} s)"
    return f"{served}  {told['decision'].upper():<12} {told['why']}  ({seconds:.0f} s)"


def tell(year: Year, story: Story, bad: str) -> str:
    """Return the tables, one a metric, the differences that matter, and what was refused."""
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
    """Compare the gated world with the others, before and after the bad month is learned from."""
    # Adopted when it arrived, it is trained on from the next month on, and serves the one after.
    after = year.months.index(bad) + 2
    spans = [(year.months[:after], "clean"), (year.months[after:], "after the bad one")]
    rows = []
    for months, what in [*spans, (year.months, "all")]:
        span = f"{months[0]} to {months[-1]}, {what}"
        found = [_signed(year.interval(metric.name, months, GATED, w)) for w in (NEVER, ALWAYS)]
        rows.append([span, *found])
    title = f"{metric.title}: gated minus"
    return _table([title, NEVER, ALWAYS], rows)


def _refused(story: Story) -> str:
    said = [s for s in story if s.get("decision") not in (None, "pass")]
    if not said:
        return "The gate refused nothing."
    lines = [f"- {s['month']}, {s['decision']}: {s['why']}" for s in said]
    return "What the gate refused, and why:\n\n" + "\n".join(lines)


def _table(head: Sequence[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    padded = ([cell.ljust(width) for cell, width in zip(l, widths, strict=True)] for l in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


def _cell(found: tuple[float, float, float]) -> str:
    value, low, high = found
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _signed(found: tuple[float, float, float]) -> str:
    value, low, high = found
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


def plain(year: Year, story: Story) -> dict[str, Any]:
    """Return the figures and the decisions as JSON can hold them."""
    figures = {
        metric.name: {
            month: {world: year.interval(metric.name, [month], world) for world in WORLDS}
            for month in year.months
        }
        for metric in year.metrics
    }
    return {"metrics": figures, "story": story}
