"""The page is one file that loads nothing, runs no script and shows any text literally."""

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


def assert_harmless(html, parsed):
    """The page has no script, no handler and only internal links."""
    for tag, attributes in parsed(html).tags:
        assert tag not in ("script", "img", "iframe", "link", "base", "a", "object", "comment")
        assert not [key for key in attributes if key.startswith("on")]
        links = [value for key, value in attributes.items() if key.endswith(("href", "src"))]
        assert all(link.startswith("#") for link in links)
    assert not re.search(r"url\((?!#)|@import", html)


def test_loads_nothing(record, written, parsed):
    """No script, font or picture is loaded from another address."""
    html = written(record)
    assert_harmless(html, parsed)
    assert "http:" not in html and "https:" not in html
    assert "default-src 'none'" in html


def test_hostile_names_are_harmless(attack, written, parsed, every_hostile):
    """A hostile name anywhere creates no tag and is shown literally."""
    html = written(attack(every_hostile))
    assert_harmless(html, parsed)
    assert every_hostile in parsed(html).text


def test_has_the_content_of_the_comment(record, judge, written, parsed):
    """Verdict, reason and each finding are on the page too, with typographic signs."""
    text = parsed(written(record)).text.replace("−", "-").replace("\N{NO-BREAK SPACE}", " ")
    assert "✓ Pass" in text and " checks passed." in text
    for finding in judge(record).findings:
        assert finding.message in text


def test_draws_each_metric(record, written):
    """A row of two drawings, calibration and scores."""
    html = written(record)
    assert html.count("<svg") == 4
    assert html.count('class="row"') == 1


def test_draws_without_a_champion(first, written):
    """Without a champion no difference is drawn."""
    assert written(first).count("<svg") == 3


def test_draws_undefined_values(first, written):
    """A metric without a value has an empty axis; undefined scores are not drawn."""
    nothing = {"value": None, "low": None, "high": None, "undefined": 1.0}
    first["evaluation"]["metrics"]["log_loss"]["candidate"] = nothing
    empty = {"calibration": [], "histogram": {"edges": [], "rows": []}, "unplotted": 100}
    first["evaluation"]["curves"]["candidate"] = empty
    assert written(first).count("<svg") == 1


def test_better_is_to_the_right(record, written):
    """The axis of a loss is reversed, so that right is better in every plot."""
    strip = written(record).split("<svg")[1]
    ticks = re.findall(r'x="([\d.]+)" y="[\d.]+">(0\.\d+)</text>', strip)
    left_to_right = [float(value) for _, value in sorted(ticks, key=lambda tick: float(tick[0]))]
    assert len(ticks) > 2 and left_to_right == sorted(left_to_right, reverse=True)


def test_uses_only_colours_of_the_page(record, written):
    """The page sets every drawn colour, for light and for dark mode."""
    drawings = re.findall(r"<svg.*?</svg>", written(record), re.S)
    assert not re.search(r":\s*#[0-9a-f]{6}", "".join(drawings))
    names = set(re.findall(r"var\((--\w+)\)", "".join(drawings)))
    assert names and all(page.CSS.count(f"{name}:") == 2 for name in names)


def test_the_same_record_gives_the_same_bytes(record, written):
    """No time, no random id."""
    assert written(record) == written(record)
