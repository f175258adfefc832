"""The example in data/README.md works as it stands."""

import importlib.util
import re
from pathlib import Path


def test_the_example_loads_and_validates(tmp_path):
    """Its code, beside two months as CSV files, keeps the contract."""
    readme = Path("data/README.md").read_text(encoding="utf-8")
    module = tmp_path / "example.py"
    module.write_text(re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1], encoding="utf-8")
    (tmp_path / "partitions").mkdir()
    for month, sold in (("2024-01", 1), ("2024-02", 0)):
        path = tmp_path / "partitions" / f"{month}.csv"
        path.write_text(f"date,price,sold\n{month}-03,9.5,{sold}\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("example", module)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    assert example.partitions() == ["2024-01", "2024-02"]
    rows, fingerprint = example.load("2024-01")
    assert example.SCHEMA.validate(rows)[example.TARGET].tolist() == [1]
    assert re.fullmatch("sha256:[0-9a-f]{64}", fingerprint)
