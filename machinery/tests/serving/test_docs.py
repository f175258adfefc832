"""machinery/docs/serving.md agrees with the code."""

import re
from pathlib import Path

PAGE = Path("machinery/docs/serving.md")


def matches(pattern, *paths):
    """All matches of a pattern in these files."""
    return {match for path in paths for match in re.findall(pattern, path.read_text("utf-8"))}


def test_the_page_lists_every_variable():
    """The table holds the environment variables that the service reads, and no others."""
    code = sorted(Path("machinery/mlops/serving").glob("*.py"))
    assert matches(r"MLOPS_[A-Z_]+", PAGE) == matches(r"MLOPS_[A-Z_]+", *code)


def test_the_page_lists_every_metric(client):
    """The table holds the names that Prometheus reads, and no others but that of classes."""
    names = re.findall(r"(?m)^# TYPE (mlops_\w+)", client.get("/metrics").text)
    assert matches(r"mlops_\w+", PAGE) == {*names, "mlops_class_total"}


def test_the_page_lists_every_path_and_status(client):
    """Every path and status of /docs.json is on the page."""
    paths = client.get("/docs.json").json()["paths"]
    text = PAGE.read_text("utf-8")
    assert [path for path in paths if f"`{path}`" not in text and f" {path}`" not in text] == []
    assert set(paths["/predict"]["post"]["responses"]) - {"200"} <= set(re.findall(r"\d{3}", text))
