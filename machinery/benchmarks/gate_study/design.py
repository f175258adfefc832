"""The design of the study: which models are compared on which rows."""

from dataclasses import dataclass

from benchmarks.gate_study.scores import Recipe, RecipeScores, Scores

CHAMPION, SEED, REORDERED, RETRAINED, OLDEST = (
    "the champion",
    "another seed",
    "rows reordered",
    "one partition less",
    "the oldest partition alone",
)


@dataclass(frozen=True)
class Design:
    """The scores on the whole year, by models of the first partitions, and on each partition."""

    year: RecipeScores
    partitions: dict[str, RecipeScores]


def design(scores: Scores) -> Design:
    """Train the missing models, on a quarter of the partitions or on all before the judged one."""
    names = scores.partitions
    first = max(1, len(names) // 4)
    recipes = {names[k]: _recipes(names, k, first) for k in range(first, len(names))}
    year = {CHAMPION: Recipe(tuple(names[:first])), SEED: Recipe(tuple(names[:first]), 1)}
    year[OLDEST] = Recipe((names[0],))
    needed: dict[Recipe, list[str]] = {recipe: names[first:] for recipe in year.values()}
    for partition, named in recipes.items():
        for recipe in named.values():
            if partition not in needed.setdefault(recipe, []):
                needed[recipe].append(partition)
    scores.compute(needed)
    return Design(
        year=scores.load(names[first:], year),
        partitions={name: scores.load([name], named) for name, named in recipes.items()},
    )


def _recipes(names: list[str], k: int, first: int) -> dict[str, Recipe]:
    before = tuple(names[:k])
    recipes = {
        CHAMPION: Recipe(before),
        SEED: Recipe(before, 1),
        REORDERED: Recipe(before, reordered=True),
        OLDEST: Recipe((names[0],)),
    }
    return recipes | ({RETRAINED: Recipe(before[:-1])} if k > first else {})
