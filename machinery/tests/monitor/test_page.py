"""The page is written whatever was served."""

import numpy as np
import pandas as pd
import pytest

from mlops.monitor.page import write_page


@pytest.mark.slow
def test_a_column_without_values_does_not_prevent_the_page(tmp_path):
    """Evidently refuses a column without any value, so the page leaves it out."""
    trained = pd.DataFrame({"km": np.arange(100.0), "town": ["a", "b"] * 50, "late": [True] * 100})
    served = trained.assign(town=pd.Series([None] * 100, dtype=object))
    write_page(tmp_path / "page.html", trained, served)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "km" in text and "late" in text
