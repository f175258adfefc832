"""The page is one file that loads nothing, runs nothing and shows any text literally."""

import re

import pytest

from mlops.report import page, plots
from mlops.report.content import content


@pytest.fixture
def written(judge):
    """Return the page of a record."""

    def write(record):
        judged = judge(record)
        return page.render(content(judged), plots.draw(judged))

    return write


def assert_harmless(html, seen):
    """No script, no handler, no address but of something inside the page."""
    for tag, attributes in seen(html).tags:
        assert tag not in ("script", "img", "iframe", "link", "base", "a", "object", "comment")
        assert not [key for key in attributes if key.startswith("on")]
        links = [value for key, value in attributes.items() if key.endswith(("href", "src"))]
        assert all(link.startswith("#") for link in links)
    assert not re.search(r"url\((?!#)|@import", html)


def test_loads_nothing(record, written, seen):
    """Neither a script nor a font nor a picture comes from elsewhere."""
    html = written(record)
    assert_harmless(html, seen)
    assert "http:" not in html and "https:" not in html
    assert "default-src 'none'" in html


def test_hostile_names_are_harmless(attack, written, seen, every_hostile):
    """A name in every place where names go makes no tag, and is read as it was written."""
    html = written(attack(every_hostile))
    assert_harmless(html, seen)
    assert every_hostile in seen(html).text


def test_says_what_the_comment_says(record, judge, written, seen):
    """Verdict, reason and each finding are on the page too, with minus signs for hyphens."""
    text = seen(written(record)).text.replace("−", "-")
    assert "✓ Pass" in text and " checks passed." in text
    for finding in judge(record).findings:
        assert finding.message in text


def test_draws_each_metric(record, written):
    """A row of two drawings, calibration and scores."""
    html = written(record)
    assert html.count("<svg") == 4
    assert html.count('class="row"') == 1


def test_draws_without_a_champion(first, written):
    """The difference is not drawn where there is none."""
    assert written(first).count("<svg") == 3


def test_draws_what_is_no_number(first, written):
    """A metric without a value has an empty axis; scores that are no number are not drawn."""
    nothing = {"value": None, "low": None, "high": None, "undefined": 1.0}
    first["evaluation"]["metrics"]["log_loss"]["candidate"] = nothing
    empty = {"calibration": [], "histogram": {"edges": [], "rows": []}, "unplotted": 100}
    first["evaluation"]["curves"]["candidate"] = empty
    assert written(first).count("<svg") == 1


def test_better_is_to_the_right(record, written):
    """The axis of a loss is turned, so that every plot is read alike."""
    strip = written(record).split("<svg")[1]
    ticks = re.findall(r'x="([\d.]+)" y="[\d.]+">(0\.\d+)</text>', strip)
    by_place = [float(value) for _, value in sorted(ticks, key=lambda tick: float(tick[0]))]
    assert len(ticks) > 2 and by_place == sorted(by_place, reverse=True)


def test_has_no_ink_of_its_own(record, written):
    """Every drawn colour is one that the page sets, for light and for dark."""
    drawings = re.findall(r"<svg.*?</svg>", written(record), re.S)
    assert not re.search(r":\s*#[0-9a-f]{6}", "".join(drawings))
    names = set(re.findall(r"var\((--\w+)\)", "".join(drawings)))
    assert names and all(page.CSS.count(f"{name}:") == 2 for name in names)


def test_the_same_record_gives_the_same_bytes(record, written):
    """No time, no random id."""
    assert written(record) == written(record)
