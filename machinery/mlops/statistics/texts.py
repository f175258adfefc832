"""Free texts as numbers: their length, and how unusual their words are. No text is kept whole."""

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import Series

WORD = re.compile(r"\w+")
# They must not fill the record; a text with another language or spelling lacks the frequent ones.
MOST_WORDS = 1000
# Four lengths and three shares of unusual words are as many bins as a column of numbers has.
LENGTHS, SHARES = 4, 3

Bins = dict[str, Any]


def bins_of(column: "Series", min_rows: int) -> Bins:
    """Return the usual words, those of at least `min_rows` rows, and the bins of the texts."""
    present = column.dropna().astype(str)
    rows = Counter(word for text in present for word in _words(text))
    usual = [(word, count) for word, count in rows.items() if count >= min_rows]
    ranked = sorted(usual, key=lambda pair: (-pair[1], pair[0]))[:MOST_WORDS]
    vocabulary = [word for word, _ in ranked]
    return {
        "words": vocabulary,
        "lengths": _edges(present.str.len().to_numpy(float), LENGTHS),
        "unusual": _edges(_unusual(present, vocabulary), SHARES),
    }


def bin_numbers(bins: Bins, column: "Series") -> np.ndarray:
    """Return the bin of each row (rows,): by length, then by unusual words; the last is missing."""
    present = column.dropna().astype(str)
    length = np.searchsorted(bins["lengths"], present.str.len().to_numpy(float))
    share = np.searchsorted(bins["unusual"], _unusual(present, bins["words"]))
    width = len(bins["unusual"]) + 1
    numbers = np.full(len(column), (len(bins["lengths"]) + 1) * width)
    numbers[column.notna().to_numpy()] = length * width + share
    return numbers


def labels(bins: Bins) -> list[str]:
    """Return a label for each bin but that of missing values."""
    lengths = _between([f"{edge:g}" for edge in bins["lengths"]])
    shares = _between([f"{edge:.0%}" for edge in bins["unusual"]])
    return [
        f"{length or 'any number of'} characters, {share or 'any share of'} unusual words"
        for length in lengths
        for share in shares
    ]


def lengths(column: "Series") -> "Series":
    """Return the number of characters of each text, NaN where it is missing."""
    return column.map(lambda text: len(str(text)), na_action="ignore").astype(float)


def _words(text: str) -> set[str]:
    return set(WORD.findall(text.lower()))


def _unusual(present: "Series", vocabulary: list[str]) -> np.ndarray:
    """Return the share of each text's words (rows,) outside a vocabulary; 0 without words."""
    usual, shares = frozenset(vocabulary), np.zeros(len(present))
    for row, text in enumerate(present):
        own = _words(text)
        shares[row] = len(own - usual) / max(1, len(own))
    return shares


def _edges(numbers: np.ndarray, parts: int) -> list[float]:
    if not numbers.size:
        return []
    ordered = np.sort(numbers)
    return sorted({float(ordered[numbers.size * part // parts]) for part in range(1, parts)})


def _between(edges: list[str]) -> list[str]:
    if not edges:
        return [""]
    between = [f"{low} to {high}" for low, high in zip(edges, edges[1:])]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}"]
