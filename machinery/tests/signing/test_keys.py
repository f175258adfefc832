"""Keys are created once, readable by their owner only, and never replaced; signing without one."""

import os
import stat
from pathlib import Path

import pytest

from machinery.tests.signing.released import DEMAND, POLICY, package, stored_signatures


def test_a_new_key_is_its_owner_s_alone(clone, keys):
    """It is outside the repository, which gets the public half only."""
    file = keys("ours")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "BEGIN PUBLIC KEY" in Path("environments/signers/ours.pub").read_text("utf-8")
    assert "PRIVATE" not in clone.git("grep", "--name-only", "BEGIN", "--", "environments")


def test_a_key_is_never_replaced(clone, keys):
    """Without it, its signatures could not be verified any more."""
    file = keys("ours")
    before = file.read_bytes()
    answer = clone.mlops("sign", "--new-key", "other")
    assert answer.code == 2 and "exists already" in answer.text
    assert file.read_bytes() == before


def test_a_key_of_another_machine_is_never_replaced(clone, keys, monkeypatch, tmp_path):
    """Its public half is committed, so a second key needs another name."""
    keys("ours")
    public = Path("environments/signers/ours.pub")
    before = public.read_bytes()
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(tmp_path / "second.pem"))
    answer = clone.mlops("sign", "--new-key", "ours")
    assert answer.code == 2 and f"{public} exists already" in answer.text
    assert public.read_bytes() == before and not (tmp_path / "second.pem").exists()


@pytest.mark.parametrize("name", ["../ours", "Ours", "", "our/s"])
def test_a_key_s_name_is_a_file_s_name(clone, name):
    """Other names are refused, and nothing is written elsewhere."""
    answer = clone.mlops("sign", f"--new-key={name}")
    assert answer.code == 2 and "use a-z, 0-9, dots and dashes" in answer.text
    assert not list(Path("..").glob("*.pub"))


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_can_read_is_not_used(demanding, mode):
    """The error holds the command to run."""
    file = Path(os.environ["MLOPS_SIGNING_KEY"])
    file.chmod(mode)
    answer = demanding.mlops("sign")
    assert answer.code == 2 and f"chmod 600 {file}" in answer.text and stored_signatures() == []


@pytest.mark.parametrize("content", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_an_invalid_key_is_an_error(demanding, content):
    """The error names the file, and never shows the content."""
    file = Path(os.environ["MLOPS_SIGNING_KEY"])
    file.write_text(content, "utf-8")
    answer = demanding.mlops("sign")
    assert answer.code == 2 and f"{file} holds no private key" in answer.text


@pytest.mark.parametrize("before", ["", "\n", "  "])
def test_a_key_may_come_as_a_secret(demanding, monkeypatch, before):
    """In a workflow the variable holds the text, possibly pasted with blanks before it."""
    file = Path(os.environ["MLOPS_SIGNING_KEY"])
    monkeypatch.setenv("MLOPS_SIGNING_KEY", before + file.read_text("utf-8"))
    assert "signed by the key ours" in demanding.mlops("sign").text


@pytest.mark.parametrize(
    "arguments", [("sign",), ("sign", "--new-key", "new"), ("sign", "--new-key={}")]
)
@pytest.mark.parametrize("cut", [slice(None), slice(28, None), slice(0, 90)])
def test_a_key_is_never_printed(demanding, monkeypatch, arguments, cut):
    """Neither whole nor in part, from the variable or as a name: a log would keep it."""
    key = Path(os.environ["MLOPS_SIGNING_KEY"]).read_text("utf-8")
    monkeypatch.setenv("MLOPS_SIGNING_KEY", key[cut])
    answer = demanding.mlops(*(argument.format(key[cut]) for argument in arguments))
    assert answer.code == (0 if arguments == ("sign",) and cut == slice(None) else 2)
    assert key[40:60] not in answer.text and not list(Path().glob("*BEGIN*"))


def test_a_missing_key_is_an_error(demanding, monkeypatch):
    """A wrong path is an error, and the step does not sign in another way."""
    monkeypatch.setenv("MLOPS_SIGNING_KEY", "/nowhere/key.pem")
    answer = demanding.mlops("sign")
    assert answer.code == 2 and "names /nowhere/key.pem, and there is no such file" in answer.text


@pytest.fixture
def keyless(clone, promoted, monkeypatch, tmp_path_factory):
    """A clone without a key, with a built release."""
    monkeypatch.delenv("MLOPS_SIGNING_KEY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    package(clone, promoted)
    return clone


def test_without_a_key_the_step_reports_that_nothing_is_signed(keyless):
    """A fork without any setup works."""
    answer = keyless.mlops("sign")
    assert answer.code == 0 and "not signed, and no policy demands it" in answer.text


def test_without_a_key_a_demand_cannot_be_met(keyless):
    """The error comes from `sign`, not days later from the promotion."""
    keyless.edit(POLICY, "from: build\n", f"from: build\n{DEMAND}")
    answer = keyless.mlops("sign")
    assert answer.code == 2 and "dev will refuse it" in answer.text


def test_without_the_variable_the_project_s_key_is_used(keyless):
    """--new-key writes it to the default path."""
    assert keyless.mlops("sign", "--new-key", "mine").code == 0
    assert "is signed by the key mine" in keyless.mlops("sign").text


def test_a_signer_is_a_key_or_an_identity(keyless):
    """A policy that names neither is an error."""
    keyless.edit(POLICY, "from: build\n", "from: build\nsigned_by: [{issuer: https://a.b}]\n")
    answer = keyless.mlops("sign")
    assert answer.code == 2 and "either a `key` or an `identity`" in answer.text
