"""The files of the fork, as texts: `data/`, `model/`, their tests, params.yaml and README.md."""

import io
import re
from pathlib import Path

from mlops.paths import ENVIRONMENTS, IN_TREE, PARAMS
from mlops.starting import noise, usual
from mlops.starting.filling import block, fill
from mlops.starting.infer import Inference
from mlops.starting.model_files import StarterModel

Files = dict[str, bytes]
# Sections of the template's pages that hold for every team.
KEPT = {
    "data/README.md": ("## What your data must provide", "## Where the example comes from"),
    "model/README.md": ("## What your model must provide", None),
}

# What the example's service needs, with the comment that states its size.
MEMORY = re.compile(
    r"(?m)(^  # A worker uses one core[^\n]*\n(  #[^\n]*\n)*)?(^  cpu: .*\n)  memory: 320Mi$"
)
LARGER = (
    r"  # A worker uses one core. With pandas and scikit-learn it took 270 MB, its supervisor 75.\n"
    r"\3  memory: 512Mi"
)


def partition_files(inference: Inference) -> Files:
    """Return the Parquet files; the same rows give the same bytes."""
    files = {}
    for name in inference.partitioning.names:
        rows = inference.frame[inference.partitioning.of_row == name]
        buffer = io.BytesIO()
        rows.to_parquet(buffer, index=False, compression="zstd", compression_level=9)
        files[f"data/partitions/{name}.parquet"] = buffer.getvalue()
    return files


def code(inference: Inference, model: StarterModel, source: str) -> Files:
    """Return the Python files of `data/`, `model/` and `tests/`."""
    files = {
        **_data(inference, source),
        **model.files,
        "tests/data/test_data.py": fill("tests/data/test_data.py.txt", {}),
        "tests/model/test_model.py": fill("tests/model/test_model.py.txt", _tests(inference)),
    }
    return {name: text.encode() for name, text in files.items()}


def _data(inference: Inference, source: str) -> dict[str, str]:
    roles = ["SCHEMA", "TARGET", "TIME"] + (["GROUP"] if inference.roles.group else [])
    roles += ["TEXT"] if inference.screening.texts else []
    steps = _steps(inference)
    imports = ["TARGET", "TIME"] if "TARGET" in steps else ["TIME"]
    values = {
        "source": source,
        "unit": inference.partitioning.unit,
        "roles": ", ".join(sorted(roles)),
        "names": ", ".join(f'"{name}"' for name in [*sorted(roles), "load", "partitions"]),
        "imports": ", ".join(imports),
        "constants": _constants(inference),
        "columns": "\n".join(f"{field.name!r}: {field.code}," for field in inference.fields),
        "steps": block(f"\n{steps}", 4) if steps else "",
    }
    names = ("__init__", "schema", "load")
    return {f"data/{name}.py": fill(f"data/{name}.py.txt", values) for name in names}


def _constants(inference: Inference) -> str:
    targets = inference.task.targets
    target = targets[0] if len(targets) == 1 else targets
    lines = [f"TARGET = {target!r}", f"TIME = {inference.roles.time!r}"]
    if texts := inference.screening.texts:
        lines.append("# Free texts: no categories, and never quoted in a report.")
        lines.append(f"TEXT = {texts!r}")
    if inference.roles.group:
        lines.append("# No feature: it marks rows that depend on each other (gate.cluster).")
        lines.append(f"GROUP = {inference.roles.group!r}")
    return "\n".join(lines)


def _steps(inference: Inference) -> str:
    """Return the lines of `load` between reading a file and sorting its rows."""
    lines = []
    if inference.task.mapped:
        no, yes = inference.task.labels
        lines.append(f"# 1 is {yes!r}; any other value becomes missing, which the schema refuses.")
        lines.append(f"rows[TARGET] = rows[TARGET].map({{{no!r}: 0, {yes!r}: 1}})")
    elif inference.task.kind == "binary":
        lines.append("rows[TARGET] = rows[TARGET].astype(int)")
    dates = None if inference.partitioning.made_up else inference.frame[inference.roles.time]
    if dates is None:
        what = "files" if inference.partitioning.unit == "file" else "blocks"
        lines.append(
            "# The rows have no date, but the contract needs one: a made-up day, which only"
        )
        lines.append(f"# orders the {what}. Replace it as soon as your rows have a date.")
        lines.append(
            'rows[TIME] = pd.Timestamp("2000-01-01") + pd.Timedelta(days=partitions().index(name))'
        )
    elif inference.roles.days and (dates.dt.normalize() != dates).any():
        lines.append("# The day only: days are the groups of dependent rows (gate.cluster).")
        lines.append("rows[TIME] = rows[TIME].dt.normalize()")
    return "\n".join(lines)


def _tests(inference: Inference) -> dict[str, str]:
    kind = inference.task.kind
    others = ["data.TIME", "*data.TARGET" if kind == "amounts" else "data.TARGET"]
    others += ["data.GROUP"] if inference.roles.group else []
    lines = [
        f"OTHERS = ({', '.join(others)})",
        "FEATURES = [name for name in data.SCHEMA.columns if name not in OTHERS]",
        'NUMBERS = [n for n in FEATURES if data.SCHEMA.columns[n].dtype.type.kind in "biuf"]',
    ]
    return {"constants": "\n".join(lines), **TESTS[kind]}


_SQUARES = "assert ((scores - target) ** 2).mean() < ((target.mean(axis=0) - target) ** 2).mean()"
TESTS = {
    "binary": {
        "target": "return rows[data.TARGET].to_numpy()",
        "learned": "assert scores[target == 1].mean() > scores[target == 0].mean()",
        "kind_of_score": "probabilities",
        "valid": "assert scores.shape == (len(rows),)\n"
        "    assert ((scores >= 0) & (scores <= 1)).all()",
    },
    "classes": {
        "target": "return np.searchsorted(model.CLASSES, rows[data.TARGET])",
        "learned": "right = scores.argmax(axis=1) == target\n"
        "    assert right.mean() >= np.bincount(target).max() / len(target)",
        "kind_of_score": "probabilities",
        "valid": "assert scores.shape == (len(rows), len(model.CLASSES))\n"
        "    np.testing.assert_allclose(scores.sum(axis=1), 1)",
    },
    "amount": {
        "target": "return rows[data.TARGET].to_numpy()",
        "learned": _SQUARES,
        "kind_of_score": "amounts",
        "valid": "assert scores.shape == (len(rows),)\n    assert np.isfinite(scores).all()",
    },
    "quantiles": {
        "target": "return rows[data.TARGET].to_numpy()",
        "learned": "low, *_, high = scores.T\n"
        "    share, wanted = ((low < target) & (target < high)).mean(), np.ptp(model.QUANTILES)\n"
        "    assert abs(share - wanted) < 0.1",
        "kind_of_score": "quantiles",
        "valid": "assert scores.shape == (len(rows), len(model.QUANTILES))\n"
        "    assert (np.diff(scores, axis=1) >= 0).all()",
    },
    "amounts": {
        "target": "return rows[list(data.TARGET)].to_numpy()",
        "learned": _SQUARES,
        "kind_of_score": "amounts",
        "valid": "assert scores.shape == (len(rows), len(data.TARGET))\n"
        "    assert np.isfinite(scores).all()",
    },
}


def pages(inference: Inference, model: StarterModel, source: str, comparison: str = "") -> Files:
    """Return README.md and those of `data/` and `model/`, the contract's sections kept."""
    split = inference.partitioning
    held_out = split.used[-split.holdout :]
    listed = held_out[0] if len(held_out) == 1 else f"{held_out[0]} to {held_out[-1]}"
    values = {
        "title": inference.name,
        "source": source,
        "target": inference.task.target,
        "answer": inference.task.reason,
        "rows": f"{len(inference.frame):,}",
        "unit": split.unit,
        "first_name": split.used[0],
        "last_name": split.last,
        "features": str(len(inference.features)),
        "held_out": f"{listed}: {int(split.held_out.sum()):,} rows",
        "description": model.description,
        "comparison": (
            f"\n{comparison} The same rows choose and judge here, so look again on later ones.\n"
            if comparison
            else ""
        ),
        "port": _port(),
        "changes": _list("Changed when the files were written", inference.changes),
        "left_out": _list(
            "Columns that were left out, with what was seen in them",
            [f"`{one.column}` ({one.kind}): {one.reason}" for one in inference.screening.left_out],
        ),
        "machinery": (
            "| `machinery/` | checks, gate, report, releases; an upgrade replaces it "
            "([its pages](machinery/docs/README.md)) |\n"
            if IN_TREE.exists()
            else ""
        ),
    }
    names = ("README.md", "data/README.md", "model/README.md")
    # A list that is empty leaves blank lines.
    texts = {name: re.sub(r"\n{3,}", "\n\n", fill(name, values)).rstrip() for name in names}
    return {name: f"{text}\n{_kept(name)}".encode() for name, text in texts.items()}


def _port() -> str:
    """Return the port of the service in dev."""
    path = ENVIRONMENTS / "dev" / "settings.yaml"
    match = re.search(r"(?m)^port: *(\d+)", path.read_text("utf-8")) if path.exists() else None
    return match[1] if match else "3001"


def _list(title: str, lines) -> str:
    return "".join([f"\n{title}:\n\n", *(f"- {line}\n" for line in lines)]) if lines else ""


def _kept(name: str) -> str:
    """Return the sections of the present page that state the contract."""
    path = Path(name)
    if name not in KEPT or not path.is_file():
        return ""
    begin, end = KEPT[name]
    text = path.read_text(encoding="utf-8")
    if begin not in text:
        return ""
    sections = begin + text.partition(begin)[2]
    return "\n" + (sections.partition(end)[0] if end else sections).rstrip() + "\n"


def trial_params(inference: Inference) -> str:
    """Return params.yaml for the first training, before its numbers are known."""
    values = usual.usual(inference) | {"name": inference.name}
    values["cluster"] = (
        "null" if inference.roles.cluster is None else f'"{inference.roles.cluster}"'
    )
    return fill("trial.yaml", values)


def params(inference: Inference, model: StarterModel, source: str, record: dict) -> str:
    """Return params.yaml, with the numbers of this table and of the first evaluation."""
    values = usual.usual(inference) | noise.judged(inference, record)
    return fill(
        PARAMS.name, values | {"name": inference.name, "source": source, "model": model.params}
    )


def name_in(text: str) -> str:
    """Return the model's name in params.yaml."""
    match = re.search(r"(?m)^name: *[\"']?([a-z][a-z0-9-]*)", text)
    return match[1] if match else ""


def adapted(path: Path, old: str, new: str) -> bytes | None:
    """Return a file of environments/ for the new model, None if nothing in it changes.

    The old name becomes the new one, and a service with pandas and scikit-learn gets more memory.
    """
    text = path.read_text(encoding="utf-8")
    changed = re.sub(rf"(?<![\w-]){re.escape(old)}(?![a-z0-9])", new, text) if old else text
    changed = MEMORY.sub(LARGER, changed)
    return changed.encode() if changed != text else None
