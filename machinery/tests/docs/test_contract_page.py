"""machinery/docs/contract.md: its table is the contract, its examples are those that tests run."""

import re
from pathlib import Path

import pytest

from mlops.training import contract

PAGE = Path("machinery/docs/contract.md").read_text("utf-8")
SEVERAL = Path("machinery/tests/several")

pytestmark = pytest.mark.fast


def test_its_examples_are_the_models_that_are_tested():
    """In the order of the page."""
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    models = [SEVERAL / kind / "model/__init__.py" for kind in ("classes", "outputs", "quantiles")]
    assert examples == [model.read_text("utf-8") for model in models]


@pytest.mark.parametrize(
    ("folder", "names"), [("data", contract.DATA), ("model", contract.MODEL)], ids=["data", "model"]
)
def test_its_table_has_every_required_name(folder, names):
    """And calls nothing else required."""
    rows = [line.split("|")[1:] for line in PAGE.splitlines() if line.startswith(f"| `{folder}/`")]
    required = [name for _, name, kind, *_ in rows if kind.strip() == "required"]
    assert set(re.findall(r"`(\w+)", " ".join(required))) == set(names)


def test_its_table_has_every_optional_name():
    """Those that the docstring of the contract names."""
    listed = set(re.findall(r"`(\w+)", PAGE[: PAGE.index("## Classes")]))
    docstring = contract.__doc__
    optional = re.findall(r"\b(GROUP|SLICES|TEXT|THRESHOLD|FRAME|CLASSES|QUANTILES)\b", docstring)
    assert set(optional) | {"trained_on", "to_onnx"} <= listed
