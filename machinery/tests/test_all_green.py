"""The one required check is red unless everything that should have run has, and well."""

import json

import pytest

from mlops.errors import Refused, UserError
from mlops.steps import all_green

PLANNED = {"run-tests": "false", "run-train": "false"}


def needs(outputs=(), **results):
    """The results of all jobs, as Actions gives them: success but for those named."""
    found = {name: {"result": "success", "outputs": {}} for name in [*all_green.EXCUSE, "comment"]}
    found["plan"]["outputs"] = dict(outputs) or {"run-tests": "true", "run-train": "true"}
    for name, result in results.items():
        found[name] = {**found.get(name, {"outputs": {}}), "result": result}
    return found


def judged(monkeypatch, found):
    """Judge; raises Refused when it is red."""
    monkeypatch.setenv("NEEDS", found if isinstance(found, str) else json.dumps(found))
    all_green.run(None)


def test_all_that_ran_well_is_green(monkeypatch):
    judged(monkeypatch, needs())


def test_a_skip_that_was_planned_is_green(monkeypatch):
    judged(monkeypatch, needs(PLANNED, test="skipped", train="skipped"))


@pytest.mark.parametrize("job", all_green.EXCUSE)
@pytest.mark.parametrize("result", ["failure", "cancelled", "skipped", "", "neutral", None])
def test_anything_else_is_red(monkeypatch, job, result):
    """A skip that nobody planned, too."""
    with pytest.raises(Refused, match=job):
        judged(monkeypatch, needs(**{job: result}))


@pytest.mark.parametrize("result", ["failure", "cancelled", "skipped"])
def test_a_plan_that_failed_excuses_nothing(monkeypatch, result):
    """Whatever it said before it failed."""
    with pytest.raises(Refused, match="train"):
        judged(monkeypatch, needs(PLANNED, plan=result, train="skipped"))


@pytest.mark.parametrize("value", ["", "False", "no", None])
def test_only_the_word_false_excuses(monkeypatch, value):
    with pytest.raises(Refused, match="train"):
        judged(monkeypatch, needs({**PLANNED, "run-train": value}, train="skipped"))


@pytest.mark.parametrize("job", all_green.EXCUSE)
def test_a_job_that_is_gone_is_red(monkeypatch, job):
    """Somebody took it out of the workflow, or out of the list of needs."""
    found = needs()
    del found[job]
    with pytest.raises(Refused, match=f"{job} .missing among the results"):
        judged(monkeypatch, found)


def test_a_new_job_is_judged_as_well(monkeypatch):
    with pytest.raises(Refused, match="extra"):
        judged(monkeypatch, needs(extra="skipped"))


@pytest.mark.parametrize("result", ["failure", "skipped", "cancelled"])
def test_a_comment_says_nothing_about_the_change(monkeypatch, result):
    judged(monkeypatch, needs(comment=result))


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_results_that_cannot_be_read_are_a_mistake(monkeypatch, text):
    with pytest.raises(UserError, match="NEEDS holds no JSON object"):
        judged(monkeypatch, text)


def test_the_page_of_the_run_names_what_is_red(monkeypatch, tmp_path, capsys):
    """A row a job, with what it did; a skip says why it is not excused."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page"))
    with pytest.raises(Refused, match=r"test \(failure\), train \(skipped, which the plan does"):
        judged(monkeypatch, needs(test="failure", train="skipped"))
    page, printed = (tmp_path / "page").read_text("utf-8"), capsys.readouterr().out
    assert "| test | failure | red |" in page and "| lint | success | |" in page.replace("  ", " ")
    assert "RED  test: failure" in printed and "ok   lint: success" in printed
