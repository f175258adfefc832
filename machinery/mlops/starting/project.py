"""Edit pyproject.toml and the Dockerfile: what the model needs, in place of the example's needs."""

import re
from importlib import metadata

EXACT = "exact: another version trains another model"
# The packages that a starter may import; each that the model does not need goes.
XGBOOST = {"xgboost-cpu": "; sys_platform != 'darwin'", "xgboost": "; sys_platform == 'darwin'"}
PINNED = ("scikit-learn", "lightgbm", *XGBOOST)
# Packages of Debian with the libraries that a package links to, but does not bring, and that the
# slim image of Python lacks.
DEBIAN = {"lightgbm": "libgomp1"}
ENTRY = re.compile(r' *"([A-Za-z0-9._-]+)')


def edited(text: str, name: str, serve: tuple[str, ...]) -> str:
    """Return pyproject.toml for a model whose service imports the packages `serve`."""
    text = re.sub(r'(?m)^name = "[^"]*"', f'name = "{name}"', text, count=1)
    text = _entries(text, "dependencies", {package: _pinned(package) for package in serve})
    served = {package: f'"{package}{XGBOOST.get(package, "")}",' for package in serve}
    return _entries(text, "serve", served)


def dockerfile(text: str, serve: tuple[str, ...]) -> str:
    """Return the team's Dockerfile, which installs what the packages `serve` link to."""
    names = sorted(DEBIAN[package] for package in serve if package in DEBIAN)
    command = (
        f"RUN apt-get update && apt-get install --yes --no-install-recommends {' '.join(names)}"
    )
    if not names or re.search(f"(?m)^{re.escape(command)}$", text):
        return text
    return f"{text.rstrip()}\n# hadolint ignore=DL3008,DL3009\n{command}\n"


def _pinned(package: str) -> str:
    marker = XGBOOST.get(package, "")
    if package not in PINNED:
        return f'"{package}",'
    version = _version("xgboost-cpu" if package == "xgboost" else package)
    return f'"{package}=={version}{marker}", # {EXACT}' if version else f'"{package}{marker}",'


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _entries(text: str, array: str, packages: dict[str, str]) -> str:
    """Replace the example's entries of an array by those of packages, their comments included."""
    match = re.search(rf"(?ms)^{array} = \[\n(.*?)^\]", text)
    if not match:
        return text
    lines: list[str] = []
    for line in match[1].splitlines():
        entry = ENTRY.match(line)
        name = entry[1] if entry else ""
        if name not in PINNED:
            lines.append(line)
            continue
        while lines and lines[-1].lstrip().startswith(("# Exact", "# Never")):
            lines.pop()
        if name in packages:
            lines.append(f"    {packages[name]}")
    present = {entry[1] for line in lines if (entry := ENTRY.match(line))}
    lines += [f"    {entry}" for package, entry in packages.items() if package not in present]
    return text[: match.start(1)] + "\n".join(lines) + "\n" + text[match.end(1) :]
