"""Where the machinery reads and writes, from the repository's root, its working directory."""

from pathlib import Path

PARAMS = Path("params.yaml")
PARAMS_SCHEMA = Path("params.schema.json")
ENVIRONMENTS = Path("environments")
BUILD = Path("build")

MODELS = BUILD / "models"
RECORD = BUILD / "record.json"
REPORT = BUILD / "report.md"
REPORT_PAGE = BUILD / "report.html"
VERDICT = BUILD / "verdict.json"
DATA_CHECK = BUILD / "data-check.json"
RELEASE = BUILD / "release.yaml"
EVIDENCE = BUILD / "evidence"
LIVE = BUILD / "live"
DEPLOYED = BUILD / "deployed"
RENDERED = BUILD / "rendered"
MONITOR = BUILD / "monitor.json"
MONITOR_PAGE = BUILD / "monitor.html"
CACHE = BUILD / "cache"
