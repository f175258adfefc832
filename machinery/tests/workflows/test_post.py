"""The comment that is posted where CML did not: our own is edited, nobody else's."""

import pytest

from mlops.ci import post_comment
from mlops.github.report_runs import WATERMARK

pytestmark = pytest.mark.fast
CML = f'![](https://cml.dev/watermark.png#abc "{WATERMARK}")'


@pytest.fixture
def posted(github, tmp_path, monkeypatch):
    """Posts a report on pull request 7 beside these comments, and returns what they say then."""
    for name, value in (github.environment() | {"PULL_REQUEST": "7"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    place = {"ref": "change", "sha": "a" * 40}
    github.pulls = {7: {"number": 7, "state": "open", "head": place, "base": {"ref": "main"}}}

    def run(report, *comments):
        for number, (user, body) in enumerate(comments, start=1):
            github.comments[number] = {"id": number, "issue": 7, "user": user, "body": body}
        (tmp_path / "build/comment.md").write_text(f"{report}\n", "utf-8")
        assert post_comment.main() == 0
        return [one["body"] for one in github.comments.values()]

    return run


def test_another_workflow_s_comment_is_not_ours(posted):
    """The last one of the account all workflows share is left as it is."""
    theirs = "Coverage: 97 %"
    made = posted("pass", (post_comment.AUTHOR, theirs))
    assert made == [theirs, f"pass\n\n{post_comment.MARK}"]


def test_it_is_made_once_and_edited_from_then_on(posted):
    """Whatever was written after it."""
    posted("pass")
    assert posted("fail") == [f"fail\n\n{post_comment.MARK}"]


def test_what_cml_made_is_edited_and_cml_finds_it_again(posted):
    """Its mark stays: there is one comment, whoever of the two comes next."""
    made = posted(
        "fail", (post_comment.AUTHOR, f"pass\n\n{CML}"), (post_comment.AUTHOR, "Coverage: 97 %")
    )
    assert made == [f"fail\n\n{post_comment.MARK}\n\n{CML}", "Coverage: 97 %"]


def test_a_stranger_who_writes_our_mark_is_no_author_of_ours(posted):
    """They could edit the report afterwards."""
    marked = f"{post_comment.MARK} {CML}"
    assert posted("pass", ("stranger", marked)) == [marked, f"pass\n\n{post_comment.MARK}"]
