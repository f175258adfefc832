"""The experiments: coverage, innocent changes, planted regressions."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product

import numpy as np

from benchmarks.gate_study.design import CHAMPION, OLDEST, REORDERED, RETRAINED, SEED, Design
from benchmarks.gate_study.planted import BY_GROUP, Direction, amount_for, directions
from benchmarks.gate_study.population import Population, loss, verdict
from benchmarks.gate_study.scores import RecipeScores
from mlops.config.params import Params
from mlops.rules import Verdict
from mlops.statistics.bootstrap import Comparison, groups_of
from mlops.statistics.metrics import Metric

MULTIPLES = (0.5, 1.0, 2.0, 3.0)
TRIALS = 60
COVERAGE_TRIALS = 600
# The gate should refuse a regression of this many margins; it is tested on more groups too.
FOCUS = 2.0
TIMES = (1, 2, 3, 4)
SAME, EQUAL = "the same model", "another, exactly as good"

Verdicts = dict[tuple, Counter]


@dataclass(frozen=True)
class Study:
    """The inputs of the experiments: the scores, the metrics the gate compares, the margins."""

    design: Design
    metrics: list[Metric]
    params: Params

    def margin(self, metric: Metric) -> float:
        """Return the margin of a metric at the gate."""
        return self.params.gate.margins[metric.name]


def coverage(study: Study) -> Iterator[tuple[str, str, int, str, float, float]]:
    """Yield population, pair, groups, metric, and the shares of intervals with the truth."""
    year, seeds = study.design.year, count()
    group, _ = _grouped(year)
    for other in (SEED, OLDEST):
        for metric in study.metrics:
            scores = year.scores[other], year.scores[CHAMPION]
            population = Population(metric, year.target, group, *scores)
            for size in (20, 30, 60, 90):
                shares = population.coverage(size, COVERAGE_TRIALS, next(seeds))
                yield "the year", other, size, metric.name, shares["gate"], shares["plain"]
    for other in (SEED, OLDEST):
        for metric in study.metrics:
            shares = [
                _population(metric, rows, other, CHAMPION).coverage(30, 2 * TRIALS, next(seeds))
                for rows in study.design.partitions.values()
            ]
            gate, plain = (np.mean([one[how] for one in shares]) for how in ("gate", "plain"))
            yield "a month", other, 30, metric.name, gate, plain


def real(study: Study) -> Verdicts:
    """Return the gate's verdicts, all metrics together, on the partitions as they are."""
    verdicts: Verdicts = defaultdict(Counter)
    for rows in study.design.partitions.values():
        for change, (candidate, champion) in _innocent(rows).items():
            comparison = Comparison(rows.target, rows.cluster, study.params.evaluate)
            differences = {
                metric: comparison.estimates(metric, candidate, champion)["difference"]
                for metric in study.metrics
            }
            verdicts[(change,)][verdict(differences, study.params.gate.margins)] += 1
    return verdicts


def _innocent(rows: RecipeScores) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    score = rows.scores
    pairs = {SAME: (score[CHAMPION], score[CHAMPION])}
    pairs |= {name: (score[name], score[CHAMPION]) for name in (SEED, REORDERED)}
    if RETRAINED in score:
        pairs["one partition more"] = (score[CHAMPION], score[RETRAINED])
    return pairs


def innocent(study: Study) -> Verdicts:
    """Return verdicts on months drawn from each partition, for changes that are not worse.

    The last kind is planted: candidate and champion are the same model, each with other noise
    shared by groups, so that both have lost one margin. They are equal in truth but differ much.
    """
    verdicts: Verdicts = defaultdict(Counter)
    seeds = count(1000)
    for rows in study.design.partitions.values():
        group, groups = _grouped(rows)
        for metric in study.metrics:
            pairs = {name: (rows.scores[name], rows.scores[CHAMPION]) for name in (SEED, REORDERED)}
            if equal := _equal(study, metric, rows):
                pairs[EQUAL] = equal
            for name, pair in pairs.items():
                population = Population(metric, rows.target, group, *pair)
                drawn = population.verdicts(study.margin(metric), groups, TRIALS, next(seeds))
                verdicts[metric.name, name] += drawn
    return verdicts


def _equal(study: Study, metric: Metric, rows: RecipeScores) -> list[np.ndarray] | None:
    spoiled = []
    for seed in (1, 2):
        direction = _directions(rows, seed)[BY_GROUP]
        amount = _amount(metric, rows, direction, study.margin(metric))
        if amount is None:
            return None
        spoiled.append(direction.moved(amount))
    return spoiled


def power(study: Study) -> tuple[Verdicts, dict[tuple, int]]:
    """Return verdicts on planted regressions, and the number of partitions with each regression.

    Keys are metric, kind of regression, its size in margins, and the number of drawn groups as a
    multiple of the partition's.
    """
    verdicts: Verdicts = defaultdict(Counter)
    planted: dict[tuple, int] = Counter()
    seeds = count(2000)
    for rows in study.design.partitions.values():
        for metric, (kind, direction), multiple in product(
            study.metrics, _directions(rows, 0).items(), MULTIPLES
        ):
            margin = study.margin(metric)
            population = _spoiled(metric, rows, direction, multiple * margin)
            if population is None:
                continue
            planted[metric.name, kind, multiple] += 1
            for times in TIMES if multiple == FOCUS else (1,):
                size = times * population.groups
                drawn = population.verdicts(margin, size, TRIALS, next(seeds))
                verdicts[metric.name, kind, multiple, times] += drawn
    return verdicts, planted


def _spoiled(
    metric: Metric, rows: RecipeScores, direction: Direction, target_loss: float
) -> Population | None:
    amount = _amount(metric, rows, direction, target_loss)
    if amount is None:
        return None
    scores = direction.moved(amount), rows.scores[CHAMPION]
    return Population(metric, rows.target, _grouped(rows)[0], *scores)


def _directions(rows: RecipeScores, seed: int) -> dict[str, Direction]:
    score = rows.scores
    return directions(rows.target, score[CHAMPION], score[OLDEST], _grouped(rows)[0], seed)


def _amount(
    metric: Metric, rows: RecipeScores, direction: Direction, target_loss: float
) -> float | None:
    """Return the amount in a direction that gives the target loss."""
    one, alone = np.zeros(len(rows.target), int), np.ones((1, 1))

    def value(score: np.ndarray) -> float:
        """Return the metric over all rows."""
        return float(metric.prepare(rows.target, score, one, 1)(alone)[0])

    before = value(rows.scores[CHAMPION])
    return amount_for(
        lambda amount: loss(metric, value(direction.moved(amount)) - before), target_loss
    )


def _grouped(rows: RecipeScores) -> tuple[np.ndarray, int]:
    return groups_of(rows.cluster, len(rows.target), 0)


def _population(metric: Metric, rows: RecipeScores, candidate: str, champion: str) -> Population:
    scores = rows.scores[candidate], rows.scores[champion]
    return Population(metric, rows.target, _grouped(rows)[0], *scores)


def share(counts: Counter, kind: Verdict) -> float:
    """Return the share of one verdict among all."""
    return counts[kind] / counts.total()
