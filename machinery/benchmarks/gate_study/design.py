"""Which models are compared with which, on which rows."""

from dataclasses import dataclass

from benchmarks.gate_study.scores import Judged, Recipe, Scores

CHAMPION, SEED, REORDERED, RETRAINED, OLDEST = (
    "the champion",
    "another seed",
    "rows reordered",
    "one partition less",
    "the oldest partition alone",
)


@dataclass(frozen=True)
class Design:
    """The year: many groups scored by models of the first partitions; and each later partition."""

    year: Judged
    partitions: dict[str, Judged]


def design(scores: Scores) -> Design:
    """Train what is missing, on a quarter of the partitions or all before the one judged."""
    names = scores.partitions
    first = max(1, len(names) // 4)
    recipes = {names[k]: _recipes(names, k, first) for k in range(first, len(names))}
    year = {CHAMPION: Recipe(tuple(names[:first])), SEED: Recipe(tuple(names[:first]), 1)}
    year[OLDEST] = Recipe((names[0],))
    wanted: dict[Recipe, list[str]] = {recipe: names[first:] for recipe in year.values()}
    for partition, named in recipes.items():
        for recipe in named.values():
            if partition not in wanted.setdefault(recipe, []):
                wanted[recipe].append(partition)
    scores.make(wanted)
    return Design(
        year=scores.judged(names[first:], year),
        partitions={name: scores.judged([name], named) for name, named in recipes.items()},
    )


def _recipes(names: list[str], k: int, first: int) -> dict[str, Recipe]:
    before = tuple(names[:k])
    found = {
        CHAMPION: Recipe(before),
        SEED: Recipe(before, 1),
        REORDERED: Recipe(before, reordered=True),
        OLDEST: Recipe((names[0],)),
    }
    return found | ({RETRAINED: Recipe(before[:-1])} if k > first else {})
