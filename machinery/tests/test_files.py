"""Files are whole or absent, and digests see every byte and name."""

import io
import os
import signal
import subprocess
import sys
import tarfile

import pytest

from mlops import files
from mlops.errors import UserError


def test_canonical_form_ignores_the_order_of_keys():
    """Two records with equal content have one digest."""
    assert files.canonical({"b": 1, "a": "ä"}) == files.canonical({"a": "ä", "b": 1})


def test_canonical_form_refuses_values_outside_json():
    """NaN is not JSON and never equals itself."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical({"a": float("nan")})


def test_a_folder_digest_sees_names_and_contents(tmp_path):
    """A renamed file or a changed byte changes it; the folder's own name does not."""
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file").write_text("x")
    assert files.digest_folder(tmp_path / "one") == files.digest_folder(tmp_path / "two")
    (tmp_path / "two" / "sub" / "file").rename(tmp_path / "two" / "file")
    assert files.digest_folder(tmp_path / "one") != files.digest_folder(tmp_path / "two")


def test_a_write_that_fails_keeps_the_old_content(tmp_path, monkeypatch):
    """The disk is full at the last moment: the old file stays, and no temporary file is left."""
    path = tmp_path / "record.json"
    files.write(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    """A process that writes without pause is killed; the file holds one whole content."""
    path = tmp_path / "file"
    code = (
        "import sys, pathlib; from mlops.files import write\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1; write(pathlib.Path(sys.argv[1]), f'{n:09}' * 100_000); print(n, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        for _ in range(5):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    content = path.read_text()
    assert content == content[:9] * 100_000


def test_a_new_folder_appears_whole(tmp_path):
    """The folder is absent before the block ends, and after a block that failed."""
    with pytest.raises(RuntimeError):
        with files.new_folder(tmp_path / "model") as folder:
            (folder / "half").touch()
            raise RuntimeError
    assert not list(tmp_path.iterdir())
    with files.new_folder(tmp_path / "model") as folder:
        (folder / "whole").touch()
        assert not (tmp_path / "model").exists()
    assert (tmp_path / "model" / "whole").exists()


@pytest.mark.parametrize(("content", "message"), [(None, "is missing"), ("{", "is not JSON")])
def test_a_reading_error_names_the_step_that_writes_the_file(tmp_path, content, message):
    """The errors for absent and for broken files name the step that writes them."""
    path = tmp_path / "record.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=f"{message}.*make train"):
        files.read_json(path, made_by="train")


@pytest.mark.parametrize("filters", [True, False], ids=["this Python", "Python 3.11.2"])
@pytest.mark.parametrize("name", ["../outside", "link"])
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path, monkeypatch, filters, name):
    """An innocent one is extracted, on a Python without filters too."""
    if not filters:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    for entries, innocent in (([("a/b", b"text")], True), ([("a/c", b""), (name, b"x")], False)):
        path = tmp_path / "archive.tar"
        with tarfile.open(path, "w") as tar:
            for entry_name, content in entries:
                entry = tarfile.TarInfo(entry_name)
                entry.size = len(content)
                if entry_name == "link":
                    entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/passwd", 0
                tar.addfile(entry, io.BytesIO(content))
        with tarfile.open(path) as tar:
            if innocent:
                files.extract(tar, tmp_path / "inside")
                assert (tmp_path / "inside/a/b").read_bytes() == b"text"
            else:
                with pytest.raises((UserError, tarfile.TarError)):
                    files.extract(tar, tmp_path / "inside")
    assert not (tmp_path / "outside").exists()
