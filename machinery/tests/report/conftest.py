"""A minimal evaluated record, and fixtures that judge and render it."""

import copy
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from mlops import gate
from mlops.config.params import GateParams
from mlops.report.subject import Judged
from mlops.training import provenance


def estimate(value, half):
    """An estimate with an interval of this half-width."""
    return {"value": value, "low": value - half, "high": value + half, "undefined": 0.0}


def curve(score):
    """A calibration of two points and a histogram of two steps."""
    return {
        "calibration": [
            {"score": score, "target": 0.1, "rows": 50},
            {"score": score + 0.3, "target": 0.4, "rows": 50},
        ],
        "histogram": {"edges": [0.0, 0.5, 1.0], "rows": [60, 40]},
        "unplotted": 0,
    }


def part(names):
    """The section of a record about partitions."""
    return {
        "partitions": names,
        "fingerprints": {name: f"sha256:{name}" for name in names},
        "fingerprint": "sha256:" + "1" * 64,
        "rows": 100 * len(names),
        "first": f"{names[0]}-01T00:00:00",
        "last": f"{names[-1]}-28T00:00:00",
    }


def drift(column, index, usual):
    """The drift of a column with the bin that changed most."""
    times = index / max(usual, 0.1)
    shares = {"bin": "above 5", "expected": 0.125, "found": 0.25}
    return {"column": column, "index": index, "usual": usual, "times": times, **shares}


@pytest.fixture
def record():
    """The record of a candidate a little better than its champion; tests change it."""
    metric = {"title": "log loss", "higher_is_better": False, "constant": 0.6}
    bounds = {"cluster": "day", "margins": {"log_loss": 0.02}, "beat_constant": ["log_loss"]}
    current = {
        "format": 1,
        "name": "example",
        "source": {"commit": "c0ffee" + "0" * 34, "changed": []},
        "data": {"train": part(["2020-01", "2020-02", "2020-03"]), "holdout": part(["2020-04"])},
        "params": {
            "fingerprint": "sha256:" + "2" * 64,
            "values": {"gate": bounds, "store": "build/store"},
        },
        "environment": {"python": "3.12.1", "platform": "Linux-x", "libraries": {"numpy": "2.0"}},
        "training": {
            "device": {"wanted": "cpu", "effective": "cpu"},
            "seed": 0,
            "repeat": "sha256:" + "3" * 64,
        },
        "model": {"digest": "sha256:" + "3" * 64, "bytes": 1_500_000, "files": {}},
        "cost": {
            "train_seconds": 1.25,
            "train_threads": 0,
            "peak_megabytes": 321,
            "evaluate_seconds": 0.5,
            "predict_p50_ms": 1.234,
            "predict_p99_ms": 5.0,
        },
        "evaluation": {
            "champion": {
                "release_id": "example-1",
                "model_digest": "sha256:" + "4" * 64,
                "trained_on": ["2020-01", "2020-02"],
                "error": None,
            },
            "curves": {"candidate": curve(0.15), "champion": curve(0.2)},
            "rows": 100,
            "cluster": "day",
            "groups": 30,
            "replicates": 2000,
            "confidence": 0.95,
            "drift": [drift("hour", 0.3, 0.2), drift("noise", 0.05, 0.01)],
            "features": {"measure": "auc", "strength": {"hour": 0.6}},
            "slices": {"columns": {}, "comparisons": 1, "compared": []},
            "metrics": {
                "log_loss": {
                    **metric,
                    "candidate": estimate(0.5, 0.02),
                    "champion": estimate(0.51, 0.02),
                    "difference": estimate(-0.01, 0.005),
                }
            },
        },
    }
    before = {"train": part(["2020-01", "2020-02"]), "holdout": part(["2020-03"])}
    past = copy.deepcopy(current | {"data": before})
    current["evaluation"]["champion"] |= {"origin": provenance.origin(past), "code": []}
    return current


@pytest.fixture
def first(record):
    """The record of a first candidate, which has no champion."""
    evaluation = record["evaluation"]
    evaluation["champion"] = evaluation["curves"]["champion"] = None
    for measured in evaluation["metrics"].values():
        del measured["champion"], measured["difference"]
    return record


@pytest.fixture
def judge():
    """Judge a record by its own parameters, with data that passed the check."""

    def judged(record):
        data = record["data"]
        used = {**data["train"]["fingerprints"], **data["holdout"]["fingerprints"]}
        good = {"rule": "D101", "subject": "data", "verdict": "pass", "message": "All is good."}
        check = {"fingerprints": used, "findings": [good]}
        bounds = GateParams(**record["params"]["values"]["gate"])
        return Judged(record, gate.judge(record, check, bounds), bounds)

    return judged


class ParsedPage(HTMLParser):
    """The tags of a page with their attributes, and its text, as a browser reads them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.prose, self.text = [], "", ""
        self._code = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Record a tag."""
        self.tags.append((tag, dict(attrs)))
        self._code += tag in ("code", "style")

    def handle_endtag(self, tag):
        """Leave a tag."""
        self._code -= tag in ("code", "style")

    def handle_comment(self, data):
        """Record a comment, which only hostile text could contain."""
        self.tags.append(("comment", {}))

    def handle_data(self, data):
        """Record text; text in code is not checked for mentions."""
        self.text += data
        self.prose += "" if self._code else data


@pytest.fixture
def parsed():
    """Return the parser of HTML."""
    return ParsedPage


@pytest.fixture
def shown():
    """Return a function that renders Markdown with tables and raw HTML, as GitHub does."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return lambda text: ParsedPage(renderer.render(text))


HOSTILE = [
    "](javascript:alert(1))",
    "[x](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</code></details><b>",
    '"><svg onload="alert(1)',
    "<!-- hidden",
    "@everyone and a@b.example",
    "#123 and GH-123",
    "https://example.org www.example.org",
    "`code` ``` more",
    "a | b || c",
    "trailing \\",
    "back\\|slash",
    "*bold* _it_ ~~gone~~ __init__",
    "[x]: https://example.org",
    "&lt;b&gt; &#64;everyone",
    "$\\text{x}$",
    "1. one",
    "- - -",
    "# title",
    "> quote",
]


@pytest.fixture(params=HOSTILE)
def hostile(request):
    """A name that an attacker chose to break the report."""
    return request.param


@pytest.fixture
def every_hostile():
    """All of them in one name."""
    return " ".join(HOSTILE)


@pytest.fixture
def attack(record):
    """Return a function that puts a hostile name everywhere in the record."""

    def attacked(hostile):
        name = f"{hostile}\n\n{hostile}"
        evaluation = record["evaluation"]
        measured = evaluation["metrics"].pop("log_loss")
        evaluation["metrics"][name] = {**measured, "title": name}
        evaluation["cluster"] = evaluation["champion"]["release_id"] = name
        champion = evaluation["champion"]
        champion["trained_on"] = champion["origin"]["data"]["partitions"] = [name]
        champion["origin"] |= {"fingerprints": {name: "other"}, "params": {name: name}}
        champion["origin"]["versions"] = {name: hostile}
        champion["code"] = [{"file": name, "added": 1, "removed": 2}]
        evaluation["drift"] = [drift(name, 3.0, 0.1) | {"bin": name}]
        small = {"values": 1, "largest": [name]}
        evaluation["slices"] = {
            "columns": {name: {"values": 2, "rows": 90, "small": small}},
            "comparisons": 1,
            "compared": [
                {"column": name, "value": name, "rows": 90, "metrics": {name: measured}},
            ],
        }
        record["data"] = {"train": part([name, "b", name]), "holdout": part([name])}
        record["source"]["changed"] = [name, f"model/{name}"]
        record["environment"]["libraries"] = {name: name}
        record["training"]["device"] = {"wanted": name, "effective": hostile}
        record["name"] = record["params"]["values"]["store"] = name
        bounds = {"cluster": name, "margins": {name: 0.0}, "bounds": {f"not {name}": 1.0}}
        record["params"]["values"]["gate"] = bounds
        return record

    return attacked
