"""machinery/docs/serving.md says what the code says."""

import re
from pathlib import Path

PAGE = Path("machinery/docs/serving.md")


def named(pattern, *paths):
    """All that matches in the files."""
    return {word for path in paths for word in re.findall(pattern, path.read_text("utf-8"))}


def test_every_variable_is_told_of():
    """What the service takes from its environment is in the table, and nothing else."""
    code = sorted(Path("machinery/mlops/serving").glob("*.py"))
    assert named(r"MLOPS_[A-Z_]+", PAGE) == named(r"MLOPS_[A-Z_]+", *code)


def test_every_metric_is_told_of(client):
    """The table's names are those that Prometheus finds."""
    found = re.findall(r"(?m)^# TYPE (mlops_\w+)", client.get("/metrics").text)
    assert named(r"mlops_\w+", PAGE) == set(found)


def test_every_path_and_status_is_told_of(client):
    """What /docs.json describes is on the page."""
    paths = client.get("/docs.json").json()["paths"]
    text = PAGE.read_text("utf-8")
    assert [path for path in paths if f"`{path}`" not in text and f" {path}`" not in text] == []
    assert set(paths["/predict"]["post"]["responses"]) - {"200"} <= set(re.findall(r"\d{3}", text))
