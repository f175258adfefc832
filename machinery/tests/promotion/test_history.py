"""History: what git remembers of a file, whatever people set for their own git."""

from pathlib import Path

from mlops.releases.history import versions

SIGNATURE = "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----"


def test_signatures_that_git_shows_are_no_commits(clone):
    """Whoever has `git log` show them goes back as fast as others."""
    head, message = clone.git("cat-file", "commit", "HEAD").split("\n\n")
    Path("signed").write_text(f"{head}\n{SIGNATURE}\n\n{message}\n", "utf-8")
    signed = clone.git("hash-object", "-t", "commit", "-w", "signed")
    clone.git("reset", "-q", "--soft", signed)
    clone.git("config", "log.showSignature", "true")
    assert [version.commit for version in versions(Path("code.py"))] == [signed]


def test_a_copy_has_a_history_of_its_own(clone):
    """A new environment begins as another one's files."""
    clone.git("config", "log.follow", "true")
    text = Path("environments/dev/release.yaml").read_text("utf-8")
    clone.commit("environments/trial/release.yaml", text)
    assert [v.text for v in versions(Path("environments/trial/release.yaml"))] == [text]
