"""Where the machinery reads and writes, from the repository's root, its working directory."""

from pathlib import Path

# The package where the machinery is part of the repository; elsewhere it is installed.
IN_TREE = Path("machinery/mlops")
PARAMS = Path("params.yaml")
PARAMS_SCHEMA = Path("params.schema.json")
ENVIRONMENTS = Path("environments")
SIGNERS = ENVIRONMENTS / "signers"
BUILD = Path("build")

MODELS = BUILD / "models"
RECORD = BUILD / "record.json"
REPORT = BUILD / "report.md"
REPORT_PAGE = BUILD / "report.html"
COMMENT = BUILD / "comment.md"
VERDICT = BUILD / "verdict.json"
DATA_CHECK = BUILD / "data-check.json"
PARITY_ROW = BUILD / "parity-row.json"
EXPORTS = BUILD / "export"
RELEASE = BUILD / "release.yaml"
SBOM = BUILD / "sbom.cdx.json"
SIGNATURE = BUILD / "release.sigstore.json"
EVIDENCE = BUILD / "evidence"
LIVE = BUILD / "live"
DEPLOYED = BUILD / "deployed"
RENDERED = BUILD / "rendered"
MONITOR = BUILD / "monitor.json"
MONITOR_PAGE = BUILD / "monitor.html"
CACHE = BUILD / "cache"
