"""`start` in a copy of the template: what it writes, refuses and leaves alone."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from mlops.paths import RECORD
from mlops.starting import example

pytestmark = pytest.mark.example


@pytest.fixture
def untouched(template):
    """The template; whatever a test changed in it is put back."""
    yield template
    template.git("checkout", "--quiet", "--", ".")
    template.git("clean", "--quiet", "-d", "--force")
    shutil.rmtree(template.folder / "build", ignore_errors=True)


def start(fork, *words, check=True):
    """Start a fork; the lock is another test's."""
    return fork.mlops("start", "--no-lock", *map(str, words), check=check)


def refused(fork, *words):
    """What a start that must be refused prints; nothing was changed by it."""
    done = start(fork, *words, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert fork.git("status", "--porcelain", "--untracked-files=no") == ""
    return " ".join(done.stderr.split())


@pytest.mark.fast
def test_the_digests_of_the_example_are_fresh():
    """A start replaces only what is listed, as it is listed."""
    fresh = example.text() == example.DIGESTS.read_text("utf-8")
    assert fresh, "run `make release VERSION=` with the version that it has"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--target", "hours"), "make start FROM=houses.csv TARGET=price"),
        (("--from", "shopp.csv", "--target", "hours"), "does not exist. Did you mean 'shop.csv'?"),
        (("--from", "shop.csv", "--target", "hour"), "does not have. .* Did you mean 'hours'?"),
        (
            ("--from", "shop.csv", "--target", "hours", "--time", "zone"),
            "TIME names zone, .* dates",
        ),
        (("--from", "shop.csv", "--target", "hours", "--group", "x"), "GROUP names the column 'x'"),
        (("--from", "shop.csv", "--target", "currency"), "'EUR' in every row .* nothing to learn"),
        (("--from", "shop.csv", "--target", "order_id"), "3,000 different values.* an amount must"),
        (("--from", "shop.csv", "--target", "hours", "--model", "tree"), "Did you mean 'trees'?"),
        (("--from", "few.csv", "--target", "hours"), "has 40 rows. At least 100 are needed"),
        (("--from", "empty.csv", "--target", "hours"), "is empty. It must have a line of"),
        (("--from", "image.csv", "--target", "hours"), "image.csv cannot be read as csv"),
        (("--from", "wide.csv", "--target", "hours"), "wide.csv is encoded in UTF-16. Save it as"),
        (("--from", "paid.csv", "--target", "paid"), "without the character.s. ' ', '[$]', ','"),
        (("--from", "cut.parquet", "--target", "hours"), "cut.parquet cannot be read as parquet"),
        (("--from", "data.xlsx", "--target", "hours"), "must end in .csv, .csv.gz, .tsv"),
        (("--from", "folder", "--target", "hours"), "folder holds no table"),
        (
            ("--from", "data/partitions", "--target", "late"),
            "that folder is replaced. Move or copy",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_one_clear_error(untouched, csv, words, message):
    """What was found, what is allowed, what to do; and nothing is changed."""
    shop = csv("shop").read_text("utf-8")
    files = {
        "shop.csv": shop.encode(),
        "few.csv": "\n".join(shop.splitlines()[:41]).encode(),
        "empty.csv": b"\n",
        "image.csv": b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe",
        "wide.csv": "a,hours\n1,2\n".encode("utf-16"),
        "paid.csv": ("a,paid\n" + "".join(f'{n},"$ 1,{n}.00"\n' for n in range(100, 300))).encode(),
        "cut.parquet": b"PAR1 but no more",
        "data.xlsx": b"PK",
    }
    for name, content in files.items():
        (untouched.folder / name).write_bytes(content)
    (untouched.folder / "folder").mkdir()
    assert re.search(message, refused(untouched, *words))


def test_what_a_team_wrote_is_not_replaced(untouched, csv):
    """One edited file of the example is enough; it is named, with the way on."""
    path = untouched.folder / "model/evaluate.py"
    text = path.read_text("utf-8")
    path.write_text(text + "\n# ours\n", "utf-8")
    done = start(untouched, "--from", csv("iris"), "--target", "target", check=False)
    assert done.returncode == 2
    assert "model/evaluate.py differs from the template's example" in done.stderr
    assert "FORCE=1 replaces it" in done.stderr
    assert path.read_text("utf-8") == text + "\n# ours\n"
    assert (untouched.folder / "data/rebuild.py").exists()


@pytest.mark.slow
def test_a_start_that_was_killed_leaves_the_old_or_is_finished(untouched, csv):
    """Before the moves nothing has changed; after a kill among them the next start goes on."""
    words = ["start", "--no-lock", "--from", str(csv("iris")), "--target", "target"]
    untouched.killed_after(3, *words)
    assert untouched.git("status", "--porcelain", "--untracked-files=no") == ""
    code = (
        "import os, sys; from pathlib import Path; from mlops import cli; "
        "from mlops.starting import placing; write = placing.write\n"
        "def dies(path, content):\n"
        "    if path == Path('params.yaml'): os._exit(9)\n"
        "    write(path, content)\n"
        "placing.write = dies; sys.exit(cli.main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=untouched.folder,
        env=untouched.environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 9
    assert "flights-late" in (untouched.folder / "params.yaml").read_text("utf-8")
    assert not (untouched.folder / "data/rebuild.py").exists()
    finished = untouched.mlops(*words)
    assert "finishing the start that was cut short" in finished.stdout
    assert "gate        PASS" in finished.stdout
    assert "name: iris-target" in (untouched.folder / "params.yaml").read_text("utf-8")
    assert not (untouched.folder / "build/start/plan.json").exists()


@pytest.mark.slow
def test_a_start_that_was_killed_before_its_verdict_may_be_repeated(untouched, csv):
    """What it had put in place is known; what the team edited since then is theirs."""
    words = ["start", "--no-lock", "--from", str(csv("iris")), "--target", "target"]
    code = (
        "import os, sys; from mlops import cli; from mlops.steps import start\n"
        "start._judge = lambda *_: os._exit(9); sys.exit(cli.main(sys.argv[1:]))"
    )
    options = {"cwd": untouched.folder, "env": untouched.environment, "capture_output": True}
    done = subprocess.run([sys.executable, "-c", code, *words], check=False, **options)
    assert done.returncode == 9
    path = untouched.folder / "model/pipeline.py"
    text = path.read_text("utf-8")
    path.write_text(text + "# ours\n", "utf-8")
    edited = untouched.mlops(*words, check=False).stderr
    assert "model/pipeline.py differs from the template's example (its sha256" in edited
    path.write_text(text, "utf-8")
    assert "verdict PASS" in untouched.mlops(*words).stdout
    assert "FORCE=1" in untouched.mlops(*words, check=False).stderr


@pytest.mark.slow
def test_force_replaces_an_earlier_start(untouched, csv):
    """No partition of the earlier one stays behind, where it would be loaded."""
    start(untouched, "--from", csv("iris"), "--target", "target")
    again = ["--from", csv("diabetes"), "--target", "target"]
    assert "FORCE=1" in start(untouched, *again, check=False).stderr
    start(untouched, *again, "--force")
    record = json.loads((untouched.folder / RECORD).read_text("utf-8"))
    assert record["name"] == "diabetes-target"
    names = {path.stem for path in (untouched.folder / "data/partitions").iterdir()}
    assert names == {f"block-{number}" for number in range(1, 9)}
