"""A model of scikit-learn in the little fork, exported to ONNX, served from there, and refused."""

import json
import re
import subprocess
import sys
from functools import partial
from http.client import HTTPConnection
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from machinery.tests.test_fork import ask
from machinery.tests.test_scikit_learn import lock_for_service, take_pipeline
from mlops.errors import UserError
from mlops.gate.export import EXPORTED, compare
from mlops.paths import PARITY_ROW, RECORD
from mlops.rules import Verdict
from mlops.serving.answer import Answer
from mlops.serving.onnx_file import FILE
from mlops.training import contract, onnx_export

TRAIN = ("check-data", "train", "evaluate", "report", "gate")
EXPORT = ("export", "--to", "onnx")
NUMBERS = ["km", "wait", "stops", "night"]
CLASSES = Answer("classes", ("cash", "card", "app"))
BOTH = Answer("outputs", ("fare", "minutes"))
INDICATOR = "SimpleImputer(add_indicator=True)"


@pytest.fixture(scope="module")
def rides():
    """Rows with a column of each type; every twelfth has no zone."""
    random, rows = np.random.default_rng(0), 300
    frame = pd.DataFrame(
        {
            "km": random.uniform(1, 20, rows),
            "zone": random.choice(["inner", "outer"], rows),
            "wait": np.where(random.random(rows) < 0.3, np.nan, random.uniform(0, 9, rows)),
            "stops": random.integers(0, 5, rows),
            "night": random.random(rows) < 0.5,
        }
    )
    frame.loc[frame.index % 12 == 5, "zone"] = None
    return frame


@pytest.fixture(scope="module")
def fares(rides):
    """An amount for each row."""
    return 3 + 2 * rides["km"] + 4 * (rides["zone"] == "outer") + rides["wait"].fillna(0)


@pytest.fixture(autouse=True)
def team(monkeypatch):
    """A team without a conversion of its own, whose model answers one number."""
    names = SimpleNamespace()
    monkeypatch.setattr(contract, "team_model", lambda: names)
    monkeypatch.setattr(contract, "answer", Answer)
    return names


def pipeline(estimator, numbers=None):
    """An estimator behind imputed numbers and one-hot texts."""
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        make_column_transformer((numbers or SimpleImputer(), NUMBERS), (texts, ["zone"])), estimator
    )


def exported(model, rows, folder):
    """The model as the service has it, from a file."""
    onnx_export.export(model, rows, folder / "exported")
    return onnx_export.load(folder / "exported", tuple(rows))


def lists(rows):
    """Rows as the service hands them on: None for a missing value."""
    return rows.astype(object).where(rows.notna(), None).to_dict("list")


KINDS = {
    "an amount": (HistGradientBoostingRegressor, Answer(), lambda m: m.predict),
    "a yes or no": (
        HistGradientBoostingClassifier,
        Answer(),
        lambda m: lambda rows: m.predict_proba(rows)[:, 1],
    ),
    "classes": (partial(LogisticRegression, max_iter=2000), CLASSES, lambda m: m.predict_proba),
    "several amounts": (Ridge, BOTH, lambda m: m.predict),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer_scores_as_in_process(kind, rides, fares, tmp_path, monkeypatch):
    """As a frame, as lists with None, and a row alone."""
    estimator, answer, of_model = KINDS[kind]
    monkeypatch.setattr(contract, "answer", lambda: answer)
    targets = {
        "a yes or no": fares > fares.median(),
        "classes": pd.cut(fares, 3, labels=False),
        "several amounts": np.column_stack([fares, 2 * fares]),
    }
    trained = pipeline(estimator()).fit(rides, targets.get(kind, fares))
    predict, served = of_model(trained), exported(trained, rides, tmp_path)
    expected = predict(rides)
    assert compare(rides, expected, served).verdict is Verdict.PASS
    together = served(lists(rides))
    assert together.shape == expected.shape
    np.testing.assert_allclose(together, expected, rtol=1e-5, atol=1e-5)
    alone = [served(lists(rides[n : n + 1]))[0] for n in range(12)]
    np.testing.assert_allclose(alone, together[:12], rtol=1e-6, atol=1e-6)


def test_an_estimator_without_columns_gets_them_as_one_matrix(rides, fares, tmp_path):
    """Which no text is part of, though the file takes every feature."""
    numbers = rides[["km", "stops"]]
    trained = make_pipeline(StandardScaler(), Ridge()).fit(numbers, fares)
    served = exported(trained, rides, tmp_path)
    np.testing.assert_allclose(served(rides), trained.predict(numbers), rtol=1e-5)


def test_a_pipeline_from_a_search_is_converted(rides, fares, tmp_path):
    """The search itself is no part of the model."""
    search = GridSearchCV(pipeline(Ridge()), {"ridge__alpha": [0.1, 1]}).fit(rides, fares)
    served = exported(search, rides, tmp_path)
    np.testing.assert_allclose(served(rides), search.predict(rides), rtol=1e-5)


def test_an_option_that_the_converter_leaves_out_is_refused(rides, fares, tmp_path, monkeypatch):
    """Without an error the file has no indicator; with the option off the same model passes."""
    monkeypatch.chdir(tmp_path)
    verdicts = {}
    for indicator in (True, False):
        trained = pipeline(Ridge(), SimpleImputer(add_indicator=indicator)).fit(rides, fares)
        served = exported(trained, rides, tmp_path)
        verdicts[indicator] = compare(rides, trained.predict(rides), served)
    assert verdicts[True].verdict is Verdict.FAIL
    assert re.search(
        r"^\d+ of 300 held-out rows have other scores, such as \S+ from the exported model and "
        r"\S+ in process for row .*add_indicator=True",
        verdicts[True].message,
    )
    assert verdicts[False].verdict is Verdict.PASS


def test_a_file_that_fails_on_rows_is_refused(rides, fares, tmp_path):
    """Trees ask for the indicator that the file lacks."""
    trained = pipeline(HistGradientBoostingRegressor(), SimpleImputer(add_indicator=True))
    trained.fit(rides, fares)
    finding = compare(rides, trained.predict(rides), exported(trained, rides, tmp_path))
    assert (finding.rule, finding.verdict) == (EXPORTED.id, Verdict.FAIL)
    assert finding.message.startswith("onnxruntime cannot score the rows: ")


def test_what_cannot_be_converted_is_named(rides, fares, tmp_path):
    """What it is, and what to write instead."""
    with pytest.raises(UserError, match="a dict, which is no estimator.*Add `to_onnx"):
        exported({}, rides, tmp_path)
    categories = rides[["zone"]].astype("category")
    trees = HistGradientBoostingRegressor(categorical_features="from_dtype")
    with pytest.raises(UserError, match="skl2onnx cannot convert the model: Invalid"):
        exported(trees.fit(categories, fares), categories, tmp_path)
    dates = rides.assign(at=pd.Timestamp(2020, 1, 1))
    with pytest.raises(UserError, match="at holds datetime64.*no type in ONNX"):
        exported(pipeline(Ridge()).fit(dates, fares), dates, tmp_path)


def test_a_missing_package_is_named(rides, monkeypatch, tmp_path):
    """And where it goes."""
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="ONNX needs onnxruntime and skl2onnx, .*`make lock`"):
        exported(Ridge(), rides, tmp_path)


def test_a_conversion_of_the_team_s_is_held_to_its_form(rides, team, tmp_path):
    """A file, the same twice, with a feature's name on every input."""
    team.to_onnx = lambda model, folder: None
    with pytest.raises(UserError, match="wrote no model.onnx"):
        exported(None, rides, tmp_path)
    turns = iter("ab")
    team.to_onnx = lambda model, folder: (folder / FILE).write_text(next(turns))
    with pytest.raises(UserError, match="different bytes for one model"):
        exported(None, rides, tmp_path)
    team.to_onnx = lambda model, folder: (folder / FILE).write_text("no ONNX")
    with pytest.raises(UserError, match="onnxruntime cannot use .*model.onnx"):
        exported(None, rides, tmp_path)
    team.to_onnx = own_conversion(("km", "minutes"))
    with pytest.raises(UserError, match="the input.s. minutes, which no feature is named"):
        exported(None, rides, tmp_path)
    team.to_onnx = own_conversion(("km", "wait"))
    assert exported(None, rides, tmp_path)({"km": [1.0, 2], "wait": [2.0, 3]}).tolist() == [3, 5]


def own_conversion(names):
    """A conversion whose model adds two features."""

    def to_onnx(_, folder):
        from onnx import TensorProto, helper

        def value(name):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None])

        node = helper.make_node("Add", list(names), ["sum"])
        graph = helper.make_graph([node], "sum", list(map(value, names)), [value("sum")])
        opset = [helper.make_opsetid("", 18)]
        converted = helper.make_model(graph, opset_imports=opset, ir_version=9)
        (folder / FILE).write_bytes(converted.SerializeToString())

    return to_onnx


@pytest.fixture(scope="module")
def with_onnx(fork):
    """The fork with the pipeline of scikit-learn.md, without the indicator, served by ONNX."""
    take_pipeline(fork, (INDICATOR, "SimpleImputer()"))
    fork.edit("params.yaml", "serve: {", "serve: {runtime: onnx, ")
    return fork


def digest_of_export(fork):
    """The bytes of the exported file, and where it is."""
    digest = json.loads((fork.folder / RECORD).read_text("utf-8"))["model"]["digest"]
    path = fork.folder / "build/export" / digest.removeprefix("sha256:") / FILE
    return path.read_bytes()


@pytest.fixture(scope="module")
def packaged(with_onnx):
    """The fork with that model in dev, and what the steps printed."""
    lock_for_service(with_onnx, "onnxruntime")
    steps = (*TRAIN, "export", "package", "promote", "deploy")
    done = with_onnx.mlops(*steps, "--to", "onnx", "--env", "dev")
    return SimpleNamespace(fork=with_onnx, printed=done.stdout)


def record_of(fork):
    """The record of the newest training."""
    return json.loads((fork.folder / RECORD).read_text("utf-8"))


@pytest.mark.slow
def test_the_steps_print_what_is_gained(packaged):
    """Parity, size and time, of the file and then of the service."""
    assert re.search(
        r"export +build/export/[0-9a-f]{64}/model.onnx\n"
        r" +600 held-out rows have the same scores as in process.\n"
        r" +size: \d+ kB, in process \d+ kB\n"
        r" +one row: \d+\.\d+ ms \(p99 \S+\), in process \d+\.\d+ ms",
        packaged.printed,
    )
    assert re.search(
        r"package +build/export/\S+: 600 held-out rows have the same scores as in process.\n"
        r"package +50 held-out rows have the same scores as in process.\n",
        packaged.printed,
    )


@pytest.mark.slow
def test_the_service_answers_as_in_process(packaged):
    """Rows together and alone, with values missing; the model is still the one that was judged."""
    ride = {"km": 10.0, "zone": "outer", "wait": 5.0}
    rides = [ride, ride | {"wait": None}, ride | {"zone": None}, ride | {"zone": "inner"}]
    together = [one["score"] for one in ask(packaged.fork, rides)["predictions"]]
    assert together == pytest.approx([32, 27, 30, 28], abs=2)
    assert [ask(packaged.fork, [one])["predictions"][0]["score"] for one in rides] == together
    connection = HTTPConnection("127.0.0.1", packaged.fork.port("dev"))
    connection.request("GET", "/version")
    version = json.load(connection.getresponse())
    connection.close()
    assert version["model_digest"] == record_of(packaged.fork)["model"]["digest"]


@pytest.mark.slow
def test_the_conformance_suite_packs_the_exported_model(packaged):
    """As `package` does, and within its tolerance; `make test` of a fork runs it."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            "machinery/mlops/conformance/test_service.py",
        ],
        cwd=packaged.fork.folder,
        env=packaged.fork.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_other_processes_export_the_same_bytes(packaged):
    """Whatever the seed of their hashes."""
    fork, contents = packaged.fork, set()
    folder = record_of(fork)["model"]["digest"].removeprefix("sha256:")
    for seed in ("1", "2"):
        fork.environment["PYTHONHASHSEED"] = seed
        fork.mlops(*EXPORT)
        contents.add((fork.folder / "build/export" / folder / FILE).read_bytes())
    del fork.environment["PYTHONHASHSEED"]
    assert len(contents) == 1


@pytest.mark.slow
def test_another_format_is_refused(packaged):
    """The message names the one that there is."""
    refused = packaged.fork.mlops("export", "--to", "onyx", check=False)
    assert refused.returncode == 2
    assert "--to is 'onyx'; there is onnx only. Did you mean 'onnx'?" in refused.stderr


def bundle_of(fork):
    """The `src` folder of the newest bundle."""
    bundles = (fork.folder / "build/cache/bundles").iterdir()
    return max(bundles, key=lambda path: path.stat().st_mtime) / "src"


def run_in(folder, module, *arguments):
    """Run a module of a bundle's own code."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_bundle_holds_no_code_of_the_team_s(packaged, tmp_path):
    """A champion's rows are scored with it, and a changed file is refused."""
    source = bundle_of(packaged.fork)
    assert not {"model", "data", "frame.json"} & {path.name for path in source.iterdir()}
    assert [path.name for path in (source / "trained").iterdir()] == [FILE]
    rides = pd.DataFrame({"km": [10.0, 10.0], "zone": ["outer", None], "wait": [None, 5.0]})
    rides.to_parquet(tmp_path / "rows.parquet")
    files = (tmp_path / "rows.parquet", tmp_path / "scores.npy")
    done = run_in(source, "mlops.serving.score", *files)
    assert done.returncode == 0, done.stderr
    assert np.load(files[1]) == pytest.approx([27, 30], abs=2)
    content = (source / "trained" / FILE).read_bytes()
    (source / "trained" / FILE).write_bytes(content + b"\0")
    changed = run_in(source, "mlops.serving.score", *files)
    (source / "trained" / FILE).write_bytes(content)
    assert changed.returncode == 1
    assert "trained was changed: its digest is sha256:" in changed.stderr


@pytest.mark.slow
def test_the_service_s_lock_must_have_the_runtime(with_onnx):
    """What to add, and where."""
    lock_for_service(with_onnx)
    refused = with_onnx.mlops(*TRAIN, "package", check=False)
    assert refused.returncode == 2
    assert (
        "it imports onnxruntime, and the lock of the service has no onnxruntime. Add onnxruntime "
        "to the group `serve` in pyproject.toml" in " ".join(refused.stderr.split())
    )


ANOTHER = """
def to_onnx(model, folder):
    from skl2onnx import to_onnx as convert
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.base import clone
    import data

    rows, _ = data.load("q1")
    features = ["km", "zone", "wait"]
    model = MODEL
    kinds = {"zone": StringTensorType}
    types = [(name, kinds.get(name, FloatTensorType)([None, 1])) for name in features]
    names = {"name": "fares", "initial_types": types}
    (folder / "model.onnx").write_bytes(convert(model, **names).SerializeToString())
"""


# skl2onnx by itself converts no boosted trees here.
LINEAR = (
    ("sklearn.ensemble import HistGradientBoostingRegressor", "sklearn.linear_model import Ridge"),
    (
        "HistGradientBoostingRegressor(learning_rate=params.learning_rate, random_state=seed)",
        "Ridge()",
    ),
    ("SimpleImputer()", 'SimpleImputer(strategy="constant", fill_value=0.0)'),
)


@pytest.mark.slow
def test_an_export_of_another_model_is_refused(with_onnx):
    """By `export` and by `package`, which then stores nothing; one of the same model passes."""
    lock_for_service(with_onnx, "onnxruntime")
    path = with_onnx.folder / "model/__init__.py"
    before = path.read_text("utf-8")
    linear = before
    for old, new in LINEAR:
        assert old in linear
        linear = linear.replace(old, new)
    another = 'clone(model).fit(rows[features], rows["fare"])'
    outcomes = {}
    try:
        for converted in (another, "model"):
            path.write_text(linear + ANOTHER.replace("MODEL", converted, 1), "utf-8")
            with_onnx.git("commit", "--quiet", "--all", "--message", f"Convert {converted}")
            with_onnx.mlops(*TRAIN)
            stored = with_onnx.folder / "build/store"
            bundles = {*stored.rglob("*")}
            steps = (EXPORT, ("package",))
            outcomes[converted] = [with_onnx.mlops(*step, check=False) for step in steps]
            assert converted == "model" or {*stored.rglob("*")} == bundles
    finally:
        path.write_text(before, "utf-8")
        with_onnx.git("commit", "--quiet", "--all", "--message", "Convert by machine again")
    for done in outcomes[another]:
        assert done.returncode == 1, done.stdout
        assert f"refused: {EXPORTED.id} {EXPORTED.sentence}" in done.stderr
        assert re.search(r"\d+ of 600 held-out rows have other scores", done.stderr)
    assert json.loads((with_onnx.folder / PARITY_ROW).read_text("utf-8")).keys() >= {"km", "zone"}
    assert [done.returncode for done in outcomes["model"]] == [0, 0], outcomes["model"]
