"""Markdown shows any text literally: nothing is linked, mentioned, hidden or run."""

import re

from mlops.report import markdown
from mlops.report.content import content
from mlops.report.tree import Bars

TAGS = set("p h2 h3 table thead tbody tr th td code pre details summary strong".split())
# What GitHub turns into links and notifications after rendering.
LIVE = re.compile(r"@\w|#\d|\bGH-\d|://|www\.", re.I)


def visible(text):
    """The visible text, without invisible spaces."""
    return " ".join(text.replace("\u200b", "").split())


def test_shows_hostile_text_in_a_cell(hostile, shown):
    """The cell has the same text, and no tag."""
    page = shown(f"| a |\n| --- |\n| {markdown.escape(hostile, 99)} |\n")
    assert visible(page.text) == visible(f"a {hostile}")
    assert {tag for tag, _ in page.tags} == {"table", "thead", "tbody", "tr", "th", "td"}
    assert not LIVE.search(page.text)


def test_shows_hostile_names_as_code(hostile, shown):
    """The same for a name, in code."""
    page = shown(f"| a |\n| --- |\n| {markdown.code(hostile, 99)} |\n")
    assert visible(page.text) == visible(f"a {hostile}")
    assert [tag for tag, _ in page.tags].count("code") == 1


def test_a_hostile_record_is_harmless(attack, judge, shown, hostile):
    """The whole report has only the expected tags and attributes, and no live link in its prose."""
    page = shown(markdown.render(content(judge(attack(hostile)))))
    assert {tag for tag, _ in page.tags} <= TAGS
    assert {key for _, attributes in page.tags for key in attributes} <= {"style", "class"}
    assert not LIVE.search(page.prose)
    assert visible(hostile) in visible(page.text)


def test_hidden_letters_are_seen():
    """A character that reverses the line or controls a terminal is replaced."""
    assert markdown.escape("pass\u202eliaf \x1b[2J\x00", 99) == "pass�liaf �[2J�"


def test_ordinary_text_stays_readable():
    """Text without special characters is not escaped, as terminals show the source."""
    text = "M107 log_loss: +0.0083 [-0.0019, +0.0197] against; 95 % (gate.margins) is > 0!"
    assert markdown.escape(text, 99) == text


def test_cut_text_states_how_much():
    """A text that is too long ends in a count."""
    assert markdown.escape("x" * 110, 10) == "xxxxxxxxxx… (100 letters more)"


def test_the_same_record_gives_the_same_text(record, judge):
    """The text does not depend on time or machine."""
    once, again = (markdown.render(content(judge(record))) for _ in range(2))
    assert once == again


def test_charts_hold_no_exponent():
    """Mermaid reads 0.00001 and 120000, not 1e-05 or 1.2e+05."""
    chart = markdown.chart(Bars("t", "x", "y", (0.00001, 123456.0), (-1e-7, 0.0)))
    assert "bar [0.00001, 123500]" in chart and 'y-axis "y" -0.0000001 --> 123500' in chart


def test_a_chart_of_nothing_has_a_height():
    """An axis from 0 to 0 is an error in Mermaid."""
    assert "0 --> 1\n" in markdown.chart(Bars("t", "x", "y", (0.0, 0.0)))
