"""An upgrade replaces the machinery and nothing else, and loses nothing when it is killed."""

import random
import re
import subprocess

import pytest

# pylint: disable-next=unused-import # fixtures; the folder's conftest.py serves other tests
from machinery.tests.upgrading.releases import (
    DROPPED,
    PARAMS,
    PATCHED,
    Repository,
    fork,
    upstream,
)
from mlops.upgrading.merging import replay

# What the fork of the tests says of its own in files that the template brings.
OURS = "\nours:\n\techo ours\n"


@pytest.fixture
def source(upstream):
    """How the upgrade is told where upstream is."""
    return ("--from", str(upstream.folder))


def test_the_machinery_is_replaced_whole_in_one_commit(fork, upstream, source):
    before = fork.git("rev-parse", "HEAD")
    fork.upgrade(*source)
    assert fork.git("rev-parse", "HEAD^") == before
    assert fork.git("symbolic-ref", "--short", "HEAD") == "main"
    assert fork.git("status", "--porcelain") == ""
    parts = ("machinery", ".github/actions")
    for part in parts:
        assert fork.git("rev-parse", f"HEAD:{part}") == upstream.git("rev-parse", f"v1.1.0:{part}")
    assert not (fork.folder / DROPPED).exists()
    assert (fork.folder / "machinery/mlops/fresh.sh").stat().st_mode & 0o111


def test_the_commit_names_versions_and_what_a_person_must_do(fork, upstream, source):
    answer = fork.upgrade(*source)
    message = fork.git("show", "--no-patch", "--format=%B")
    assert message.splitlines()[0] == "machinery: upgrade from 1.0.0 to 1.1.0"
    for text in (message, answer):
        assert "1.1.0: look at the gate." in text
        assert "nothing at all" not in text
    assert upstream.git("rev-parse", "v1.1.0") in message


def test_what_is_the_team_s_stays_to_the_letter(fork, source):
    listed = fork.git("ls-files", "data", "model", "loadtests", "tests", "notes", "README.md")
    before = {name: fork.read(name) for name in listed.splitlines()}
    fork.upgrade(*source)
    assert {name: fork.read(name) for name in before} == before


def test_renamed_keys_are_renamed_in_place_with_their_comments(fork, source):
    settings = fork.read("environments/dev/settings.yaml")
    policy = fork.read("environments/production/policy.yaml")
    fork.upgrade(*source)
    assert fork.read("params.yaml") == PARAMS.replace("cluster:", "groups:")
    renamed = re.sub("(?m)^workers:", "processes:", settings)
    assert renamed != settings and fork.read("environments/dev/settings.yaml") == renamed
    hours = policy.replace("max_age_hours:", "hours:")
    assert hours != policy and fork.read("environments/production/policy.yaml") == hours


def test_the_schema_is_that_of_the_newer_machinery(fork, source):
    fork.upgrade(*source)
    assert '"groups"' in fork.read("params.schema.json")


def test_keys_that_cannot_be_renamed_stop_it_and_change_nothing(fork, source):
    fork.edit("params.yaml", "gate:\n", "gate:\n  groups: day\n")
    fork.commit()
    before = fork.state()
    answer = fork.upgrade(*source, code=2)
    assert "params.yaml, line 9: gate.cluster is called gate.groups now" in answer
    assert fork.state() == before


def test_a_dry_run_prints_all_of_it_and_changes_nothing(fork, source):
    before = fork.state()
    answer = fork.upgrade(*source, "--dry-run", "--verbose")
    assert fork.state() == before
    for text in (
        "1.0.0 to 1.1.0",
        f"removed: 1: {DROPPED}",
        "machinery/mlops/fresh.sh",
        PATCHED,
        "merged: 2: .github/dependabot.yml, .github/workflows/ci.yml",
        "params.yaml: gate.cluster is now gate.groups",
        "left alone): 1: loadtests/README.md",
        "1.1.0: look at the gate.",
        "nothing was changed",
    ):
        assert text in answer


@pytest.mark.parametrize("name", ["params.yaml", "new.txt"])
def test_a_dirty_tree_is_refused(fork, source, name):
    fork.write(name, "something\n")
    before = fork.state()
    answer = fork.upgrade(*source, code=2)
    assert name in answer and "differ from HEAD" in answer
    assert fork.state() == before and fork.read(name) == "something\n"


def test_a_head_on_no_branch_is_refused(fork, source):
    fork.git("switch", "--quiet", "--detach")
    assert "on no branch" in fork.upgrade(*source, code=2)


def patch(fork: Repository) -> None:
    """Change a line of a file that upstream changes elsewhere, and add a file."""
    fork.edit(PATCHED, 'f"{step:<{WIDTH}} {text}"', 'f"{step:<{WIDTH}}: {text}"')
    fork.write("machinery/mlops/targets/ours.py", "OURS = 1\n")
    fork.commit()


CHANGES = {
    "edited": (PATCHED, patch),
    "added": ("machinery/mlops/targets/ours.py", patch),
    "added a page": (
        "machinery/docs/page.md",
        lambda fork: fork.write("machinery/docs/page.md", "ours\n"),
    ),
    "removed": (
        "machinery/mlops/report/page.css",
        lambda fork: (fork.folder / "machinery/mlops/report/page.css").unlink(),
    ),
}


@pytest.mark.parametrize(("name", "change"), CHANGES.values(), ids=CHANGES)
def test_a_machinery_that_the_fork_patched_is_refused(fork, source, name, change):
    change(fork)
    if fork.git("status", "--porcelain"):
        fork.commit()
    before = fork.state()
    answer = fork.upgrade(*source, code=1)
    assert name in answer and "--keep-patches" in answer
    assert fork.state() == before


def test_patches_are_carried_over(fork, source):
    patch(fork)
    fork.upgrade(*source, "--keep-patches")
    text = fork.read(PATCHED)
    assert "WIDTH = 12" in text and "}}: {text}" in text
    assert fork.read("machinery/mlops/targets/ours.py") == "OURS = 1\n"
    assert not (fork.folder / DROPPED).exists()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [(PATCHED, "WIDTH = 11", "WIDTH = 99"), (DROPPED, '"""', '"""Ours: ')],
    ids=["same line", "dropped"],
)
def test_patches_that_conflict_stop_it_and_change_nothing(fork, source, name, old, new):
    fork.write(name, fork.read(name).replace(old, new, 1))
    fork.commit()
    before = fork.state()
    answer = fork.upgrade(*source, "--keep-patches", code=1)
    assert f"your changes of {name} conflict" in answer
    assert fork.state() == before


def test_files_of_both_are_merged_and_what_a_team_removed_stays_removed(fork, source):
    fork.write("Makefile", fork.read("Makefile") + OURS)
    ci = fork.read(".github/workflows/ci.yml")
    fork.write(".github/workflows/ci.yml", f"{ci}# ours\n")
    fork.git("rm", "--quiet", ".github/dependabot.yml")
    fork.commit()
    fork.upgrade(*source)
    assert fork.read(".github/workflows/ci.yml") == (
        ci.replace("name: Pull request\n", "name: Pull requests\n") + "# ours\n"
    )
    assert fork.read("Makefile").endswith(OURS)
    assert not (fork.folder / ".github/dependabot.yml").exists()


def test_a_file_of_both_that_conflicts_stays_and_is_named(fork, source):
    fork.edit(".github/workflows/ci.yml", "name: Pull request\n", "name: Ours\n")
    fork.commit()
    before = fork.read(".github/workflows/ci.yml")
    answer = fork.upgrade(*source)
    assert "DO THIS: .github/workflows/ci.yml: upstream changed the lines" in answer
    assert ".github/workflows/ci.yml" in fork.git("show", "--no-patch", "--format=%B")
    assert fork.read(".github/workflows/ci.yml") == before


def test_upstream_is_recorded_and_need_not_be_named_again(fork, upstream, source):
    assert "FROM=" in fork.upgrade(code=2)
    fork.upgrade(*source)
    assert upstream.git("rev-parse", "v1.1.0") in fork.read(".github/upstream.yaml")
    assert "nothing to do: 1.1.0" in fork.upgrade()


def test_a_password_is_not_recorded(fork, upstream):
    address = "https://ada:secret@example.org/up"
    # As a person's own git would: this address leads to the folder.
    fork.environment |= {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{upstream.folder}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
    }
    answer = fork.upgrade("--from", address)
    assert "secret" not in answer + fork.git("show")
    assert '"https://example.org/up"' in fork.read(".github/upstream.yaml")


def test_an_older_release_is_refused(fork, source):
    fork.upgrade(*source)
    assert "revert the upgrade's commit" in fork.upgrade("--ref", "v1.0.0", code=2)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--ref", "v9.9.9"), "Upstream has no 'v9.9.9'. Name a tag"),
        (("--was", "v9.9.9"), "it has v1.1.0, v1.0.0"),
        (("--from", "/nowhere"), "/nowhere could not be fetched"),
        (("--from", "--upload-pack=touch ran"), "could not be fetched"),
    ],
)
def test_what_upstream_does_not_have_is_named(fork, source, arguments, text):
    answer = fork.upgrade(*source, *(f"{arguments[0]}={arguments[1]}",), code=2)
    assert text in answer and not (fork.folder / "ran").exists()


def test_a_machinery_that_no_release_is_asks_for_its_commit(fork, source):
    fork.git("rm", "--quiet", "machinery/RELEASE")
    fork.commit()
    assert "WAS=<commit>" in fork.upgrade(*source, code=2)
    fork.upgrade(*source, "--was", "v1.0.0")
    assert "# 1.1.0" in fork.read("machinery/RELEASE")


@pytest.mark.slow
def test_killed_at_any_moment_it_loses_nothing_and_another_run_finishes(fork, source):
    """Kills come early and late; in the end there is one commit, and what is the team's stays."""
    before = fork.git("rev-parse", "HEAD")
    dice = random.Random(7)
    kills = 0
    for _ in range(25):
        kills += fork.killed(dice.uniform(0.05, 0.3), *source)
        commits = fork.git("rev-list", f"{before}..HEAD").splitlines()
        assert len(commits) <= 1
        assert fork.read("notes/ours.txt") == "ours\n"
    fork.upgrade(*source)
    assert kills > 2
    assert len(fork.git("rev-list", f"{before}..HEAD").splitlines()) == 1
    assert fork.git("status", "--porcelain") == ""
    assert fork.git("worktree", "list").count("\n") == 0


STAGES = ("_require_untouched", "_remove", "_copy", "_index", "forget")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("times", [1, 3])
def test_killed_while_the_files_are_put_in_place_it_goes_on(fork, source, stage, times):
    """The process ends in the middle of the landing, as a kill would end it there."""
    before = fork.git("rev-parse", "HEAD")
    hook = (
        "import os\nfrom mlops.upgrading import landing\n"
        f"original, left = landing.{stage}, [{times}]\n"
        "def killed(*arguments):\n"
        "    left[0] -= 1\n"
        "    if not left[0] and landing.STATE.exists():\n        os._exit(137)\n"
        "    return original(*arguments)\n"
        f"landing.{stage} = killed\n"
        "from mlops.cli import main\nraise SystemExit(main())\n"
    )
    fork.python(hook, "upgrade", "--no-test", *source)
    assert (fork.folder / "build/upgrade/landing.json").exists() or times > 1
    fork.upgrade(*source)
    assert fork.git("rev-parse", "HEAD^") == before
    assert fork.git("status", "--porcelain") == ""
    assert fork.git("diff", "HEAD", "--stat") == ""
    assert "nothing to do" in fork.upgrade(*source)


def test_what_somebody_edits_after_a_kill_is_not_overwritten(fork, source):
    hook = (
        "import os\nfrom mlops.upgrading import landing\n"
        "landing._index = lambda *_: os._exit(137)\n"
        "from mlops.cli import main\nraise SystemExit(main())\n"
    )
    fork.python(hook, "upgrade", "--no-test", *source)
    fork.write("params.yaml", "edited\n")
    assert "params.yaml was edited during" in fork.upgrade(*source, code=1)
    assert fork.read("params.yaml") == "edited\n"
    fork.git("checkout", "--quiet", "HEAD", "--", "params.yaml")
    assert "finished the interrupted upgrade" in fork.upgrade(*source)
    assert fork.git("status", "--porcelain") == ""


NEEDED = """[
    "pandas", "pandera[pandas]", "pytest", "pytest-xdist", "uv", "httpx", "psutil", "fsspec",
]"""


@pytest.mark.slow
def test_with_everything_real_the_lock_is_renewed_and_the_tests_run(fork, upstream, tmp_path):
    """A release that needs another package: lock, environment, schema and tests."""
    newer = Repository(tmp_path / "newer")
    subprocess.run(["git", "clone", "-q", upstream.folder, newer.folder], check=True)
    # No more than the schema, the service and the tests of this fork take: a minute is enough.
    text = newer.read("machinery/pyproject.toml")
    text = re.sub(r"(?ms)^(steps|maintain) = \[\n.*?^\]", r"\1 = []", text)
    newer.write("machinery/pyproject.toml", text.replace("steps = []", f"steps = {NEEDED}"))
    log = newer.read("machinery/CHANGELOG.md").partition("\n")[2]
    newer.write("machinery/CHANGELOG.md", f"# Changelog\n\n## Unreleased\n\n- Again.\n{log}")
    newer.release("1.2.0")
    ours = re.sub(r'(?m)^    "(scikit-learn|xgboost).*\n', "", fork.read("pyproject.toml"))
    fork.write("pyproject.toml", ours)
    fork.commit()
    fork.upgrade("--from", str(newer.folder), test=True)
    locked = fork.read("requirements.txt")
    assert "pandas==" in locked and "evidently==" not in locked
    assert "1.2.0" in fork.git("show", "--no-patch", "--format=%s")


@pytest.mark.slow
def test_with_red_tests_the_branch_stays_and_the_commit_is_kept(fork, source):
    fork.write("tests/test_ours.py", "def test_ours():\n    assert False\n")
    before = fork.commit()
    answer = fork.upgrade(*source, code=1, test=True)
    assert "kept on upgrade/1.1.0" in answer
    assert fork.git("rev-parse", "HEAD") == before
    assert fork.git("rev-parse", "upgrade/1.1.0^") == before
    assert fork.git("status", "--porcelain") == ""


@pytest.fixture(scope="module")
def spread(upstream, tmp_path_factory):
    """Upstream with a commit from before 1.0.0, the machinery spread over the root; and that."""
    repository = Repository(tmp_path_factory.mktemp("spread"))
    subprocess.run(["git", "clone", "-q", upstream.folder, repository.folder], check=True)
    repository.git("switch", "--quiet", "--orphan", "before")
    repository.git("checkout", "--quiet", "v1.0.0", "--", ".")
    makefile = repository.read("machinery/mlops/machinery.mk")
    for old, new in (("mlops", "machinery/mlops"), ("tests/mlops", "machinery/tests")):
        (repository.folder / old).parent.mkdir(exist_ok=True)
        (repository.folder / new).rename(repository.folder / old)
    repository.write("tests/conftest.py", "import mlops\n")
    repository.write("docs/page.md", "a page\n")
    repository.git("rm", "-r", "--quiet", "-f", "--ignore-unmatch", "machinery")
    repository.write("Makefile", makefile)
    pyproject = repository.read("pyproject.toml")
    old = pyproject.replace(
        '"mlops-machinery[steps,maintain]"', '"PyYAML>=6", # files\n    "numpy"'
    )
    assert old != pyproject
    repository.write("pyproject.toml", old)
    return repository, repository.commit("Before")


@pytest.fixture
def copy(spread, tmp_path):
    """A copy of that commit, with lines of the team in what the template brought."""
    folder = tmp_path / "copy"
    subprocess.run(["git", "clone", "-q", "-b", "before", spread[0].folder, folder], check=True)
    repository = Repository(folder)
    # Run as the page says: the newer machinery, from a clone of upstream.
    repository.environment["PYTHONPATH"] = str(spread[0].folder / "machinery")
    repository.environment["PYTHONSAFEPATH"] = "1"
    spread[0].git("switch", "--quiet", "main")
    repository.write("params.yaml", PARAMS)
    repository.write("docs/runbook.md", "ours\n")
    repository.write("Makefile", repository.read("Makefile") + OURS)
    repository.edit("pyproject.toml", '    "pandas",\n', '    "pandas",\n    "iniconfig", # ours\n')
    repository.edit("pyproject.toml", '"PyYAML>=6", # files', '"PyYAML>=7", # ours')
    repository.commit("Ours")
    return repository


def test_a_copy_from_before_the_folder_gets_it(copy, spread):
    """Old paths go, the new folder comes, the team's lines are carried over or printed."""
    upstream, was = spread
    source = ("--from", str(upstream.folder), "--was", was, "--dry-run", "--verbose")
    answer = copy.upgrade(*source)
    assert "before 1.0.0 to 1.1.0" in answer
    for name in ("mlops/cli.py", "tests/mlops/test_files.py", "tests/conftest.py", "docs/page.md"):
        assert re.search(rf"removed: .*\b{name}", answer), name
    assert "docs/runbook.md" not in answer
    assert '-    "PyYAML>=6", # files\n+    "PyYAML>=7", # ours' in answer
    assert "compiled again: requirements.txt" in answer


@pytest.mark.slow
def test_a_copy_from_before_the_folder_works_afterwards(copy, spread):
    upstream, was = spread
    copy.upgrade("--from", str(upstream.folder), "--was", was)
    tops = {path.name for path in copy.folder.iterdir()}
    assert "machinery" in tops and not tops & {"mlops", "benchmarks"}
    assert copy.git("ls-files", "docs", "tests") == "docs/runbook.md\ntests/test_ours.py"
    assert copy.read("Makefile").startswith("# `make` alone") and copy.read("Makefile").endswith(
        OURS
    )
    pyproject = copy.read("pyproject.toml")
    assert '"iniconfig", # ours' in pyproject and '"mlops-machinery[steps,maintain]"' in pyproject
    assert "iniconfig==" in copy.read("requirements.txt")
    assert copy.git("status", "--porcelain") == ""
    del copy.environment["PYTHONSAFEPATH"]
    copy.environment["PYTHONPATH"] = str(copy.folder / "machinery")
    assert "nothing to do" in copy.upgrade()


def test_a_patch_of_a_copy_from_before_the_folder_is_refused_or_carried(copy, spread):
    """Named as the copy calls the file, carried into the file of today."""
    upstream, was = spread
    source = ("--from", str(upstream.folder), "--was", was)
    copy.edit("mlops/console.py", 'f"{step:<{WIDTH}} {text}"', 'f"{step:<{WIDTH}}: {text}"')
    copy.commit()
    before = copy.state()
    assert "you changed mlops/console.py" in copy.upgrade(*source, code=1)
    assert copy.state() == before
    answer = copy.upgrade(*source, "--keep-patches", "--dry-run")
    assert "patched by you, carried over: 1: mlops/console.py" in answer


def test_without_the_commit_of_the_copy_it_is_asked_for(copy, spread):
    assert "WAS=<commit>" in copy.upgrade("--from", str(spread[0].folder), code=2)


WHEEL = "https://example.org/v{0}/mlops_machinery-{0}-py3-none-any.whl"


@pytest.fixture
def thin(fork, upstream):
    """A fork that has the machinery installed and calls upstream's workflows of 1.0.0."""
    commit = upstream.git("rev-parse", "v1.0.0")
    for path in sorted((fork.folder / ".github/workflows").glob("*.yml")):
        call = rf"uses: acme/template/\1@{commit} # v1.0.0"
        text = path.read_text("utf-8")
        text = re.sub(r"uses: \$/(\.github/(?!workflows/reusable-sign)\S+)", call, text)
        path.write_text(text, "utf-8")
    # What signs stays in the tree: a signature names the workflow.
    removed = ("machinery", ".github/actions", ".github/workflows/reusable-[!s]*")
    fork.git("rm", "-r", "-f", "--quiet", "--", *removed)
    wheel = f"mlops-machinery[steps] @ {WHEEL.format('1.0.0')}"
    fork.edit("pyproject.toml", "mlops-machinery[steps,maintain]", wheel)
    link = f"https://github.com/acme/template/blob/{commit}/machinery/docs/fork.md"
    fork.write("README.md", f"[fork]({link})\n")
    # A machinery that is installed brings these targets.
    fork.write("Makefile", "lock:\n\t@echo locked >> requirements.txt\nschema:\n\t@true\n")
    fork.commit("Thin")
    fork.environment["PYTHONPATH"] = str(upstream.folder / "machinery")
    return fork


def test_an_installed_machinery_is_upgraded_by_its_pins(thin, source, upstream):
    """Workflows, wheel and links name the newer commit; keys are renamed; no folder comes."""
    before = upstream.git("rev-parse", "v1.0.0")
    now = upstream.git("rev-parse", "v1.1.0")
    ci = thin.read(".github/workflows/ci.yml")
    thin.upgrade(*source)
    assert before not in thin.git("grep", "-h", "-e", before, "-e", now)
    assert thin.read(".github/workflows/ci.yml") == (
        ci.replace(f"{before} # v1.0.0", f"{now} # v1.1.0").replace(
            "name: Pull request\n", "name: Pull requests\n"
        )
    )
    assert WHEEL.format("1.1.0") in thin.read("pyproject.toml")
    assert f"/blob/{now}/machinery" in thin.read("README.md")
    assert thin.read("params.yaml") == PARAMS.replace("cluster:", "groups:")
    assert "locked" in thin.read("requirements.txt")
    assert (
        not (thin.folder / "machinery").exists() and not (thin.folder / ".github/actions").exists()
    )
    assert thin.git("status", "--porcelain") == ""
    assert "nothing to do" in thin.upgrade(*source)


def test_a_workflow_that_conflicts_names_the_newer_commit_all_the_same(thin, source, upstream):
    thin.edit(".github/workflows/ci.yml", "name: Pull request\n", "name: Ours\n")
    thin.commit()
    assert "DO THIS: .github/workflows/ci.yml" in thin.upgrade(*source)
    text = thin.read(".github/workflows/ci.yml")
    assert "name: Ours\n" in text and upstream.git("rev-parse", "v1.0.0") not in text


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("pyproject.toml", ("example.org/v1.0.0", "example.org/any"), "names no wheel"),
        (".github/workflows/retrain.yml", ("# v1.0.0", "# v1.0.1"), "The workflows name"),
    ],
    ids=["wheel", "two commits"],
)
def test_pins_that_are_not_one_commit_stop_it(thin, source, name, change, text):
    thin.write(name, thin.read(name).replace(*change, 1))
    thin.commit()
    before = thin.state()
    assert text in thin.upgrade(*source, code=2)
    assert thin.state() == before


@pytest.mark.parametrize(
    "ours", ["a long line one\nendef\n", "first one here\nendef\nsecond one\n"]
)
def test_lines_at_the_end_stay_there_in_a_file_that_upstream_wrote_anew(ours):
    """The newer file has an `endef` too, in the middle: it is not where the old one was."""
    theirs = b"define X\nendef\ninclude y\n"
    base = ours.encode()
    result = replay(base, base + b"ours:\n", theirs)
    assert (result.content, result.rejected) == (theirs + b"ours:\n", ())


def test_a_change_of_lines_that_are_gone_is_left_to_a_person():
    result = replay(b"one\ntwo\n", b"one\nTWO\n", b"new\n")
    assert (result.content, result.rejected) == (b"new\n", ("-two\n+TWO",))
