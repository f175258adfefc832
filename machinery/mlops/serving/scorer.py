"""The model of a bundle, loaded and ready: rows in, scores out."""

import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, packages_distributions
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from mlops.files import digest_folder
from mlops.serving import times
from mlops.serving.answer import Answer
from mlops.serving.frames import with_frames
from mlops.serving.onnx_file import FILE, OnnxModel
from mlops.serving.schema import request_type
from mlops.serving.value_limit import require_few_values

# One number, or those that the answer names.
Score = float | list[float]
ROOT = Path(__file__).parents[2]
# Modules that libraries import wherever they are installed, and the packages they belong to.
HEAVY = {"pandas": "pandas", "pandera": "pandera", "sklearn": "scikit-learn"}


class Scorer:  # pylint: disable=too-many-instance-attributes # what a bundle holds
    """The model in a bundle's `src` folder, its schema and its record."""

    def __init__(self, root: Path = ROOT) -> None:
        self.record = json.loads((root / "record.json").read_text(encoding="utf-8"))
        self.schema = json.loads((root / "schema.json").read_text(encoding="utf-8"))
        self.fields = tuple(self.schema["properties"])
        self.answer = Answer.of_record(self.record)
        self.limits = self.record["params"]["values"]["serve"]
        self._quick = request_type(self.schema, self.max_rows, extra="allow")
        folder = root / "trained"
        self.model_digest = self.record["model"]["digest"]
        # A bundle with an exported model has a digest of that too.
        exported = self.record.get("served")
        _require_unchanged(folder, exported["digest"] if exported else self.model_digest)
        self._predict = _exported(folder) if exported else _team_model(root)

    @cached_property
    def _strict(self) -> TypeAdapter:
        return request_type(self.schema, self.max_rows)

    @cached_property
    def _readers(self) -> dict[str, Callable[[str], datetime]]:
        """Return the function that parses the text of each field of days or times."""
        rules = self.schema["properties"].items()
        return {name: times.reader(rule) for name, rule in rules if times.is_time(rule)}

    @property
    def max_rows(self) -> int:
        """The maximum number of rows in a request."""
        return self.limits["max_rows"]

    def predict(self, columns: Mapping[str, Sequence]) -> Any:
        """Return the team's scores for columns, a DataFrame or a dict of lists."""
        return self._predict(columns)

    def check(self, body: bytes) -> list[dict[str, Any]]:
        """Return the rows of a request; raises ValidationError if it does not fit the schema.

        Raises TooManyValues if parsing it would take long.
        """
        # Twice the allowed number, so that some unknown fields or excess rows still get details.
        require_few_values(body, 2 * self.max_rows * (len(self.fields) + 1))
        try:
            request = self._quick.validate_json(body)
        except ValidationError:
            return self._check_strictly(body)
        rows = request["rows"]
        no_unknown_field = len(request) == 1 and all(len(row) == len(self.fields) for row in rows)
        return rows if no_unknown_field else self._check_strictly(body)

    def _check_strictly(self, body: bytes) -> list[dict[str, Any]]:
        """Do the same more slowly, and also report unknown fields."""
        try:
            request = _with_few_keys(from_json(body), len(self.fields))
        except ValueError:
            request = self._quick.validate_json(body)
        return self._strict.validate_python(request)["rows"]

    def columns(self, rows: list[dict[str, Any]]) -> dict[str, list]:
        """Return the values of checked rows, field by field."""
        return {name: [row[name] for row in rows] for name in self.fields}

    def score(self, columns: dict[str, list]) -> list[Score]:
        """Return a score, or the scores, for each row; raises ValueError if one is not finite."""
        rows = len(columns[self.fields[0]])
        # Copies, since a model may change its arguments; the originals are counted and logged.
        copies = {name: list(values) for name, values in columns.items()}
        for name, read in self._readers.items():
            copies[name] = [text and read(text) for text in copies[name]]
        predicted, count = self.predict(copies), len(self.answer.names)
        scores = (
            [_floats(row, count) for row in predicted] if count else list(map(float, predicted))
        )
        numbers = chain.from_iterable(scores) if count else scores
        if len(scores) != rows or not all(map(isfinite, numbers)):
            raise ValueError(f"model.predict gave {scores[:3]}... for {rows} rows")
        return scores

    def warm_up(self) -> Score:
        """Score the schema's example like a request, and return its score."""
        body = json.dumps({"rows": self.schema["examples"][:1]})
        return self.score(self.columns(self.check(body.encode())))[0]

    def version(self) -> dict[str, Any]:
        """Return what is serving: release, model, commit, data and parameters."""
        return {
            "name": self.record["name"],
            "release_id": os.environ.get("MLOPS_RELEASE_ID"),
            "environment": os.environ.get("MLOPS_ENVIRONMENT"),
            "model_digest": self.model_digest,
            "commit": self.record["source"]["commit"],
            "data_fingerprint": self.record["data"]["train"]["fingerprint"],
            "params_fingerprint": self.record["params"]["fingerprint"],
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _require_unchanged(folder: Path, recorded: str) -> None:
    actual = digest_folder(folder)
    if actual != recorded:
        raise ValueError(
            f"{folder} was changed: its digest is {actual}, in record.json it is {recorded}. "
            "Unpack the bundle again."
        )


def _team_model(root: Path) -> Callable[[Any], Any]:
    team = importlib.import_module("model")
    predict = partial(team.predict, team.load(root / "trained"))
    if not getattr(team, "FRAME", False):
        return predict
    types = json.loads((root / "frame.json").read_text(encoding="utf-8"))
    return with_frames(predict, types)


def _exported(folder: Path) -> Callable[[Any], Any]:
    return OnnxModel(folder / FILE)


def _floats(row: Sequence, count: int) -> list[float]:
    if len(row) != count:
        raise ValueError(f"model.predict gave {len(row)} numbers for a row, it has {count}")
    return list(map(float, row))


def _with_few_keys(value: Any, fields: int) -> Any:
    """Return a JSON value whose objects keep only enough keys to show the unknown ones."""
    if isinstance(value, list):
        return [_with_few_keys(item, fields) for item in value]
    if isinstance(value, dict):
        return {k: _with_few_keys(v, fields) for k, v in islice(value.items(), fields + 20)}
    return value


class LockedFinder(PathFinder):
    """Finds what PathFinder finds, except for what is hidden, which is absent as in the image.

    None in `sys.modules` would hide a module too, but libraries look for others there and take None
    for the module: scikit-learn does so with pandas.
    """

    modules: set[str] = set()
    packages: set[str] = set()

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return how to load a module, None for one that is hidden."""
        return None if fullname in cls.modules else super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, *arguments: Any, **options: Any) -> Iterator[Distribution]:
        """Yield the packages that are not hidden."""
        for package in super().find_distributions(*arguments, **options):
            if _normal(package.name) not in cls.packages:
                yield package


def hide_what_is_not_locked(root: Path = ROOT) -> None:
    """Make heavy packages that the bundle's lock lacks unimportable, as they are in the image.

    XGBoost imports pandas and scikit-learn wherever they are installed, which on a laptop takes
    seconds and 100 MB; and team code that needs them should fail here, not in production.
    """
    locked = _locked(root)
    _hide({module: {package} for module, package in HEAVY.items() if package not in locked})


def hide_all_that_is_not_locked(root: Path = ROOT) -> dict[str, str]:
    """Do so with every package, and return which package each hidden module comes in.

    To know them all takes a second, which is for `package` to spend, not for a service that starts.
    """
    locked, own, hidden = _locked(root), {path.stem for path in root.iterdir()}, {}
    for module, packages in packages_distributions().items():
        names = set(map(_normal, packages))
        if module not in own and not names & locked:
            hidden[module] = names
    return {module: min(names) for module, names in _hide(hidden).items()}


def _locked(root: Path) -> set[str]:
    lock = (root.parent / "env/python/requirements.txt").read_text(encoding="utf-8")
    return {line.split("==")[0] for line in lock.splitlines()}


def _normal(package: str | None) -> str:
    """Return a package's name as the lock has it; what is left of a removed one may have none."""
    return re.sub(r"[-_.]+", "-", package or "").lower()


def _hide(modules: dict[str, set[str]]) -> dict[str, set[str]]:
    """Hide modules and the packages they come in; return those that were not imported before."""
    hidden = {module: names for module, names in modules.items() if module not in sys.modules}
    LockedFinder.modules.update(hidden)
    LockedFinder.packages.update(*hidden.values())
    if LockedFinder not in sys.meta_path:
        sys.meta_path[sys.meta_path.index(PathFinder)] = LockedFinder
    return hidden


def main() -> None:
    """Answer one row with the locked packages only, and print a package that the lock lacks."""
    hidden = hide_all_that_is_not_locked()
    try:
        print(Scorer().warm_up())
    except ModuleNotFoundError as error:
        package = hidden.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        sys.exit(
            f"it imports {error.name}, and the lock of the service has no {package}. Add {package} "
            "to the group `serve` in pyproject.toml, then `make lock`."
        )


if __name__ == "__main__":
    main()
