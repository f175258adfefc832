"""Packaging asks the packed model over HTTP what the model answers in process."""

import re

import pytest


def test_the_packed_model_answers_alike(packaged_once):
    """Told on the way; asking again finds the same."""
    done = packaged_once.run("package")
    assert "30 held-out rows were answered as in process." in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "weight = np.nan_to_num(",
            "weight = 7.0 * isinstance(columns, dict) + np.nan_to_num(",
            "30 of 30 held-out rows are answered otherwise",
        ),
        (
            'return 1 / (1 + np.exp(-model["slope"]',
            'return np.arange(len(size)) / (1 + np.exp(-model["slope"]',
            None,
        ),
        (
            'if "QQX" in columns["town"]:',
            "if isinstance(columns, dict) and len(size) > 1:",
            "500 .*The model could not score these rows",
        ),
    ],
    ids=["lists otherwise than frames", "other but alike", "an error on lists"],
)
def test_a_model_that_answers_otherwise_is_refused(checkout, old, new, message):
    """The difference is shown with the row; nothing is stored or released."""
    source = (checkout.path / "model/__init__.py").read_text()
    assert old in source
    checkout.write("model/__init__.py", source.replace(old, new))
    checkout.train()
    done = checkout.run("package")
    assert done.returncode == (1 if message else 0), done.stderr
    if message:
        assert "refused: B101 " in done.stderr
        assert re.search(message, done.stderr)
        assert not (checkout.path / "build/store").exists()
