"""Evidently's report of data drift, a page for people; it decides nothing."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.files import write
from mlops.statistics.drift import is_number

if TYPE_CHECKING:
    from pandas import DataFrame


def write_page(path: Path, trained: "DataFrame", served: "DataFrame") -> None:
    """Write the report as one HTML file; takes seconds, most of them to import Evidently."""
    # Its dependencies warn of each other.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        # Evidently refuses a column without any value; W105 has told of it.
        columns = [
            name for name in trained if all(f[name].notna().any() for f in (trained, served))
        ]
        numeric = [name for name in columns if is_number(trained[name])]
        text = [name for name in columns if name not in numeric]
        definition = DataDefinition(numerical_columns=numeric, categorical_columns=text)
        current, reference = (
            Dataset.from_pandas(frame[columns], data_definition=definition)
            for frame in (served, trained)
        )
        # The current rows come first.
        made = Report([DataDriftPreset()]).run(current, reference)
        write(path, made.get_html_str(as_iframe=False))
