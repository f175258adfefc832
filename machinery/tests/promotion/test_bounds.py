"""Text that anybody may commit: what would take for ever to parse is refused before."""

from pathlib import Path

import pytest

from mlops.config import documents
from mlops.errors import UserError
from mlops.releases.release import parse_release

PRODUCTION = "environments/production/release.yaml"
# Each of nine levels holds ten times the one before: a billion values.
BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
BAD = {
    "nested aliases": (BOMB, "line 2: the alias \\*a0 is not allowed"),
    "one alias": ("spec: &x null\nkind: *x\n", "line 2: the alias \\*x is not allowed"),
    "an alias to itself": ("&x [*x]", "the alias \\*x"),
    "brackets": ("[" * 400_000, "line 1: it is nested deeper than 50 levels"),
    "dashes": ("- " * 400_000, "line 1: it is nested deeper than 50 levels"),
    "a megabyte": ("# " + "x" * 1_000_000, "it has 1,000,002 characters"),
    "many values": ("- 1\n" * 60_000, "more than 50,000 keys and values"),
}


@pytest.mark.parametrize("text, message", BAD.values(), ids=BAD)
def test_a_text_beyond_the_bounds(text, message):
    """The message names the bound."""
    with pytest.raises(UserError, match=f"some.yaml cannot be read as YAML: .*{message}"):
        parse_release(text, "some.yaml")


def test_a_text_within_the_bounds():
    """An anchor that nothing refers to, deep lists and long ones."""
    kind = documents.RootModel[list]
    for text in ("- &x 1\n", "- " * 49 + "x", "- 1\n" * 50_000, f"- {'x' * 900_000}\n"):
        assert documents.parse(text, "some.yaml", kind).root


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("text", [BOMB, "[" * 400_000], ids=["aliases", "brackets"])
def test_a_bomb_in_the_history(clone, text):
    """It was committed and taken back; every step reads all versions of the file."""
    before = Path(PRODUCTION).read_text("utf-8")
    clone.commit(PRODUCTION, text)
    assert clone.mlops("deploy", "--env", "production").refusals == ["P101"]
    clone.commit(PRODUCTION, before)
    assert "broken" not in clone.mlops("status").text
    assert clone.mlops("rollback", "--env", "production", "--reason", "slow").code == 0


@pytest.mark.usefixtures("two")
def test_a_bomb_in_the_quarantine(clone):
    """Nothing is deployed by it, and it is mended by a commit."""
    clone.commit("environments/quarantine.yaml", BOMB)
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.code == 2 and "quarantine.yaml cannot be read as YAML" in answer.text
    clone.commit("environments/quarantine.yaml", "# None.\n")
    assert clone.mlops("promote", "--env", "dev").code == 0
