"""params.yaml: each mistake is reported with file, line, key, value and remedy."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from pydantic import create_model

from mlops.config.params import load_params
from mlops.config.schema import schema_text
from mlops.errors import UserError
from mlops.paths import PARAMS_SCHEMA
from mlops.training import contract

pytestmark = pytest.mark.fast


def load(tmp_path, change):
    """Load a copy of the committed params.yaml with its text changed."""
    path = tmp_path / "params.yaml"
    path.write_text(change(Path("params.yaml").read_text("utf-8")), "utf-8")
    return load_params(contract.team_model().Params, path)


@pytest.mark.example
def test_the_committed_file_is_valid():
    """It loads, with the team's own section typed."""
    assert contract.params().model.n_estimators == 150


@pytest.mark.example
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  seed: 0", "  sead: 0", r"train\.sead: unknown key .*Did you mean 'seed'\?"),
        ("max_depth: 6", "max_depht: 6", r"model\.max_depht: unknown key .*'max_depth'"),
        ("holdout: 1", "holdout: 0", r"data\.holdout: found 0\..*greater than or equal to 1"),
        ("holdout: 1", "holdout: one", r"data\.holdout: found 'one'\..*integer"),
        ("holdout: 1", "holdout: true", r"data\.holdout: found True"),
        ("device: cpu", "device: tpu", r"train\.device: found 'tpu'\..*'cpu', 'cuda' or 'auto'"),
        ("subsample: 0.7", "subsample: 1.7", r"model\.subsample: found 1\.7"),
        ("auc: 0.63", "auc: high", r"gate\.bounds\.auc: found 'high'"),
        ("name: flights-late", "name: Flights Late", r"name: found 'Flights Late'"),
        ("name: flights-late\n", "", r"name: this key is required"),
        ("  threads: 0\n", "  threads: 0\n  threads: 1\n", r"'threads' is a duplicate"),
        ("data:\n", "data: [\n", r"cannot be read"),
        ("data:\n", "[data]: 1\ndata:\n", r"is a duplicate or not text"),
        (
            "store: build/store",
            "store: ftp://me:hunter2@host/store",
            r"store: found 'ftp://\*\*\*@host/store'\..*holds a password",
        ),
        (
            "registry: null",
            "registry: me:hunter2@host:5000/images",
            r"registry: found '\*\*\*@host:5000/images'\..*holds a password",
        ),
        ("users: 8", "users: .inf", r"line \d+: loadtest\.users is '\.inf'\. .*finite numbers"),
        ("auc: 0.63", "auc: -.inf", r"gate\.bounds\.auc is '-\.inf'"),
        ("learning_rate: 0.05", "learning_rate: .nan", r"model\.learning_rate is '\.nan'"),
        ("name: flights-late", "name: !!binary aGk=", r"name is 'aGk='"),
        ("last: 2013-11", "last: !!timestamp 2013-11-01", r"data\.last is '2013-11-01'"),
        ("repeat: true", "repeat: !!bool maybe", r"train\.repeat is 'maybe'"),
    ],
)
def test_a_mistake_is_named(tmp_path, old, new, message):
    """Unknown key, wrong type, out of range, missing, double, broken: each its own message."""
    with pytest.raises(UserError, match=message):
        load(tmp_path, lambda text: text.replace(old, new, 1))


@pytest.mark.example
def test_the_line_is_named(tmp_path):
    """The message starts with file and line, as editors and compilers do."""
    text = Path("params.yaml").read_text("utf-8")
    line = text[: text.index("  holdout:")].count("\n") + 1
    with pytest.raises(UserError, match=rf"params\.yaml:{line}: data\.holdout"):
        load(tmp_path, lambda text: text.replace("holdout: 1", "holdout: -3"))


@pytest.mark.example
def test_all_mistakes_are_named_at_once(tmp_path):
    """One run reports all mistakes."""
    with pytest.raises(UserError) as caught:
        load(tmp_path, lambda text: text.replace("users: 8", "users: 0").replace("p95", "p59"))
    assert str(caught.value).count("params.yaml:") == 2


def test_the_error_for_a_missing_file_names_the_folder_to_run_in(tmp_path):
    """Most likely the command was run in another folder."""
    with pytest.raises(UserError, match="repository's root"):
        load_params(contract.team_model().Params, tmp_path / "params.yaml")


def test_the_error_for_another_encoding_names_utf_8(tmp_path):
    """Some editors save UTF-16."""
    path = tmp_path / "params.yaml"
    path.write_text(Path("params.yaml").read_text("utf-8"), "utf-16")
    with pytest.raises(UserError, match=r"params\.yaml is not UTF-8 text .*Save it as UTF-8"):
        load_params(contract.team_model().Params, path)


def test_an_empty_file_is_refused(tmp_path):
    """Defaults never replace an empty file."""
    with pytest.raises(UserError, match="holds no keys"):
        load(tmp_path, lambda _: "# nothing\n")


@pytest.mark.example
def test_the_fingerprint_follows_every_value(tmp_path):
    """Another value changes the fingerprint; a comment does not."""
    plain = load(tmp_path, lambda text: text).fingerprint
    assert load(tmp_path, lambda text: text + "# a remark\n").fingerprint == plain
    assert load(tmp_path, lambda text: text.replace("seed: 0", "seed: 1", 1)).fingerprint != plain


def test_the_schema_for_editors_is_fresh():
    """params.schema.json is what `make schema` writes now."""
    assert PARAMS_SCHEMA.read_text("utf-8") == schema_text(), "run `make schema`"


@pytest.mark.example
@pytest.mark.parametrize(("old", "new"), [("max_depth", "max_depht"), ("holdout: 1", "holdout: 0")])
def test_the_schema_refuses_what_loading_refuses(old, new):
    """An editor underlines the same mistakes."""
    text = Path("params.yaml").read_text("utf-8")
    validator = jsonschema_rs.validator_for(json.loads(schema_text()))
    assert validator.is_valid(yaml.safe_load(text))
    assert not validator.is_valid(yaml.safe_load(text.replace(old, new)))


def test_a_mistyped_key_in_a_union_of_records_is_reported(tmp_path):
    """The allowed keys are those of the record that pydantic tried."""
    one, other = create_model("One", a=(int, 1)), create_model("Other", width=(int, 1))
    for record in (one, other):
        record.model_config["extra"] = "forbid"
        record.model_rebuild(force=True)
    declared = create_model("Params", part=(dict[str, one | other] | None, None))
    path = tmp_path / "params.yaml"
    path.write_text("{name: a, data: {}, model: {part: {mine: {widht: 2}}}}", "utf-8")
    with pytest.raises(UserError, match=r"Other\.widht: unknown key .*here: width\. Did you mean"):
        load_params(declared, path)


def test_a_team_s_section_refuses_unknown_keys_by_default(tmp_path):
    """pydantic would silently ignore `c: 1.0` and train with the default."""
    declared = create_model("Params", C=(float, 2.0))
    path = tmp_path / "params.yaml"
    path.write_text("{name: a, data: {}, train: {}, model: {c: 1.0}}", "utf-8")
    with pytest.raises(UserError, match=r"model\.c: unknown key .*Allowed here: C\."):
        load_params(declared, path)
    free = create_model("Params", __config__={"extra": "ignore"}, C=(float, 2.0))
    assert load_params(free, path).model.C == 2
