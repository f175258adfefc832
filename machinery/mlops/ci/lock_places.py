"""Write into the locks where to get a package that the usual index lacks: a part of `make lock`.

A lock names no index, so that any mirror serves. But a package that pyproject.toml takes from an
index of its own (`[tool.uv.sources]`), such as PyTorch for the CPU, is nowhere else: the lock gets
that index's page of this one package. Hashes decide, whatever the page offers.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from mlops.cli import exit_code_of
from mlops.errors import UserError
from mlops.files import write

PROJECT = Path("pyproject.toml")
LOCKS = (Path("requirements.txt"), Path("requirements-serve.txt"))


def main() -> None:
    """Write the places into both locks, as uv has just compiled them."""
    settings = tomllib.loads(PROJECT.read_text("utf-8")).get("tool", {}).get("uv", {})
    pages = pages_of(settings)
    for lock in LOCKS:
        text = lock.read_text("utf-8")
        lines = lines_for(text, pages)
        if lines:
            # After uv's own first lines, which are comments.
            head = re.match(r"(#.*\n)*", text)[0]
            write(lock, f"{head}{lines}{text.removeprefix(head)}")


def pages_of(settings: dict[str, Any]) -> dict[str, str]:
    """Return the address of each package that `[tool.uv]` takes from a named index."""
    indexes = {one["name"]: one for one in settings.get("index", ()) if "name" in one}
    pages = {}
    for package, sources in settings.get("sources", {}).items():
        for source in sources if isinstance(sources, list) else [sources]:
            if "index" not in source:
                continue
            index = indexes.get(source["index"])
            if index is None:
                raise UserError(
                    f"{PROJECT}: [tool.uv.sources] takes {package} from the index "
                    f"{source['index']!r}; [[tool.uv.index]] has {', '.join(indexes) or 'none'}."
                )
            name, url = canonicalize_name(package), index["url"].rstrip("/")
            pages[name] = url if index.get("format") == "flat" else f"{url}/{name}/"
    return pages


def lines_for(lock: str, pages: dict[str, str]) -> str:
    """Return the lines with the pages of the packages that a lock pins."""
    pins = set(re.findall(r"(?m)^([a-z0-9][a-z0-9._-]*)==", lock))
    addresses = sorted({page for name, page in pages.items() if name in pins})
    return "".join(f"--find-links {address}\n" for address in addresses)


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
