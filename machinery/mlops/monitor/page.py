"""Evidently's report of data drift as a page; no verdict depends on it."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.files import write
from mlops.statistics.histograms import frequent, is_number

if TYPE_CHECKING:
    from pandas import DataFrame


def write_page(path: Path, trained: "DataFrame", served: "DataFrame", min_rows: int = 1) -> None:
    """Write the report as one HTML file; takes seconds, most of them to import Evidently.

    It names no text that fewer than `min_rows` rows of each kind have.
    """
    # Evidently's dependencies print warnings about each other.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        # Evidently refuses a column without any value; W105 has reported it.
        columns = [
            name for name in trained if all(f[name].notna().any() for f in (trained, served))
        ]
        numeric = [name for name in columns if is_number(trained[name])]
        text = [name for name in columns if name not in numeric]
        definition = DataDefinition(numerical_columns=numeric, categorical_columns=text)
        current, reference = (
            Dataset.from_pandas(
                frame[columns].assign(**{name: frequent(frame[name], min_rows) for name in text}),
                data_definition=definition,
            )
            for frame in (served, trained)
        )
        # The current rows come first.
        snapshot = Report([DataDriftPreset()]).run(current, reference)
        write(path, snapshot.get_html_str(as_iframe=False))
