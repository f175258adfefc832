"""`comment`: whose run it is, whose pull request, and what of a hostile artifact gets through."""

import io
import json
import re
import zipfile

import pytest

from mlops.errors import Refused
from mlops.github import report_runs
from mlops.github.api import GitHub

HEAD, MOVED = "a" * 40, "b" * 40
RUN = {
    "id": 7,
    "event": "pull_request",
    "path": ".github/workflows/ci.yml",
    "head_sha": HEAD,
    "head_branch": "change",
    "head_repository": "stranger/flights",
}


def packed(**files):
    """An artifact with these files, as GitHub packs it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "-").replace("_json", ".json"), content)
    return buffer.getvalue()


def broken(content):
    """The same with a few bytes of the first file overwritten."""
    return content[:45] + b"\xff\xff\xff" + content[48:]


@pytest.fixture(scope="module")
def numbers(fork):
    """What training left: the record and the data check, as texts."""
    fork.mlops("check-data", "train", "evaluate")
    build = fork.folder / "build"
    return {
        "record_json": (build / "record.json").read_text("utf-8"),
        "data__check_json": (build / "data-check.json").read_text("utf-8"),
    }


@pytest.fixture
def hub(github, numbers):
    """GitHub with a fork's pull request and its run, and a client that talks to it."""
    head = {"ref": "change", "sha": HEAD, "repo": "stranger/flights"}
    github.pulls = {3: {"number": 3, "state": "open", "head": head, "base": {"ref": "main"}}}
    github.runs = [dict(RUN)]
    github.artifacts = [{"id": 1, "run": 7, "name": "report", "content": packed(**numbers)}]
    return GitHub(github.repository, "token", github.url)


@pytest.fixture
def asked(fork, github, hub, tmp_path):  # pylint: disable=unused-argument
    """Runs `comment`, as a workflow or a person would."""
    (fork.folder / "build/comment.md").unlink(missing_ok=True)

    def comment(run="7"):
        fork.environment |= github.environment()
        fork.environment |= {"GITHUB_OUTPUT": str(tmp_path / "outputs")}
        done = fork.mlops("comment", "--run", run, check=False)
        text = fork.folder / "build/comment.md"
        outputs = tmp_path / "outputs"
        done.outputs = outputs.read_text("utf-8") if outputs.exists() else ""
        done.comment = text.read_text("utf-8") if text.exists() else ""
        return done

    return comment


def found(hub):
    """The number of the pull request that run 7 belongs to."""
    return report_runs.open_pull(hub, report_runs.pull_request_run(hub, "7"))


def fetched(hub):
    """What is read of the artifact of run 7."""
    return report_runs.fetch(hub, report_runs.pull_request_run(hub, "7"))


def changed(numbers, change):
    """The numbers with something changed in the record."""
    record = json.loads(numbers["record_json"])
    change(record)
    return packed(**numbers | {"record_json": json.dumps(record)})


def test_the_report_of_a_fork_is_rendered_here_and_says_so(asked):
    done = asked()
    assert done.returncode == 0, done.stderr
    assert "come from a run of code in a fork" in done.comment
    assert "mean absolute error" in done.comment
    assert "pull request 3 at aaaaaaaaaaaa" in done.stdout
    assert "\n3\n" in done.outputs and "\nyes\n" in done.outputs


def test_the_report_of_a_branch_here_needs_no_warning(asked, github):
    github.runs[0]["head_repository"] = github.pulls[3]["head"]["repo"] = github.repository
    github.branches = {"change": HEAD}
    assert asked().comment.startswith("## ")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"event": "push"}, "started by push"),
        ({"event": "workflow_dispatch"}, "started by workflow_dispatch"),
        ({"path": ".github/workflows/own.yml", "name": "Pull request"}, "is of .*own.yml"),
        ({"path": ".github/workflows/ci.yml.yml"}, "only a run of"),
        ({"head_repository": "other/flights"}, "no open pull request comes from change of other"),
        ({"head_branch": "other"}, "no open pull request comes from other"),
        ({"head_sha": MOVED}, "is at aaaaaaaaaaaa by now"),
    ],
)
def test_a_run_that_is_not_the_pull_request_s_is_refused(hub, github, change, message):
    github.runs[0] |= change
    with pytest.raises(Refused, match=message):
        found(hub)


def test_a_refusal_writes_no_comment(asked, github):
    github.runs[0]["event"] = "push"
    done = asked()
    assert (done.returncode, done.comment, done.outputs) == (1, "", "")
    assert "refused: run 7 is of .github/workflows/ci.yml, started by push" in done.stderr


def test_a_head_that_moves_while_the_artifact_is_fetched_is_seen(asked, github):
    github.on_download = lambda: github.pulls[3]["head"].update(sha=MOVED)
    done = asked()
    assert done.returncode == 1
    assert "by now; run" in done.stderr
    assert done.outputs == ""


def test_a_fork_that_is_gone_gets_no_comment(hub, github):
    github.pulls[3]["head"]["repo"] = None
    with pytest.raises(Refused, match="no open pull request"):
        found(hub)


def test_a_closed_pull_request_gets_no_comment(hub, github):
    github.pulls[3]["state"] = "closed"
    with pytest.raises(Refused, match="no open pull request"):
        found(hub)


def test_a_branch_s_name_is_no_part_of_the_question(hub, github):
    name = "x&state=closed#/../y"
    github.runs[0]["head_branch"] = github.pulls[3]["head"]["ref"] = name
    assert found(hub) == 3


def test_two_forks_of_one_owner_are_told_apart(hub, github):
    other = {"ref": "change", "sha": HEAD, "repo": "stranger/other"}
    github.pulls[4] = {"number": 4, "state": "open", "head": other, "base": {"ref": "main"}}
    assert found(hub) == 3


def test_a_record_too_large_is_refused_though_it_packs_small(hub, github, numbers):
    big = changed(numbers, lambda record: record.update(name="x" * 5_000_000))
    assert len(big) < 50_000
    github.artifacts[0]["content"] = big
    with pytest.raises(Refused, match="more than 4,000,000 bytes"):
        fetched(hub)


def test_of_a_run_started_again_the_newest_artifact_counts(hub, github, numbers):
    github.artifacts.insert(0, github.artifacts[0] | {"id": 5, "content": packed(**numbers)})
    github.artifacts[1]["content"] = b"of the first attempt"
    assert fetched(hub)["record.json"] == json.loads(numbers["record_json"])


def test_an_artifact_that_expired_is_told(hub, github):
    github.artifacts[0]["expired"] = True
    with pytest.raises(Refused, match="it expired"):
        fetched(hub)


def test_an_artifact_too_large_is_not_fetched_to_its_end(hub, github):
    github.artifacts[0]["content"] = bytes(21_000_000)
    with pytest.raises(Refused, match="has over 20,000,000 bytes"):
        fetched(hub)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"no archive", "cannot be unpacked"),
        (broken(packed(record_json="x" * 999, data__check_json="{}")), "cannot be unpacked"),
        (packed(other_json="{}"), "holds no record.json"),
        (packed(record_json="[" * 100_000, data__check_json="{}"), "is no JSON"),
        (packed(record_json='{"x": NaN}', data__check_json="{}"), "is no JSON: NaN"),
    ],
)
def test_what_is_no_artifact_of_ours_is_refused(hub, github, content, message):
    github.artifacts[0]["content"] = content
    with pytest.raises(Refused, match=message):
        fetched(hub)


@pytest.mark.parametrize("record, check", [("[]", "[]"), ('{"evaluation": {}}', "7")])
def test_what_is_no_record_makes_no_report(asked, github, record, check):
    github.artifacts[0]["content"] = packed(record_json=record, data__check_json=check)
    done = asked()
    assert done.returncode == 1
    assert "no report can be made" in done.stderr and "Traceback" not in done.stderr


def test_hostile_names_do_nothing_in_the_comment(asked, github, numbers):
    """No mention, link, picture, tag or reference comes of a name that a fork chose."""
    bad = "@everyone [log in](http://bad.example) ![](http://bad.example/x.png) <img src=x> #1"

    def poison(record):
        record["name"] = bad
        record["evaluation"]["metrics"]["mae"]["title"] = bad
        record["source"]["changed"] = [bad, "a`b` " + bad]
        record["environment"]["libraries"][bad] = bad

    github.artifacts[0]["content"] = changed(numbers, poison)
    from markdown_it import MarkdownIt

    text = asked().comment
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    # In code GitHub looks for nothing.
    shown = re.sub(r"(?s)<(code|pre)>.*?</\1>", "", shown)
    assert "everyone" in shown
    assert "<img" not in shown and "<a " not in shown and "@everyone" not in shown


@pytest.mark.parametrize(
    ("users", "cml"),
    [(["stranger"], "no"), (["github-actions[bot]"], "yes"), (["app[bot]", "stranger"], "no")],
)
def test_a_stranger_s_comment_with_cml_s_mark_is_left_alone(asked, github, users, cml):
    """CML finds its comment by a mark anybody can write; then gh posts, which knows its own."""
    mark = '![](https://cml.dev/watermark.png#abc "CML watermark report")'
    github.comments = {
        number: {"id": number, "issue": 3, "user": user, "body": mark}
        for number, user in enumerate(users, start=9)
    }
    assert f"\n{cml}\n" in asked().outputs


def test_the_run_is_named_by_its_number(asked):
    done = asked("../../runs")
    assert done.returncode == 2
    assert "the id of a run is a number" in done.stderr
