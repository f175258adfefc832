"""Pack the model into a bundle, put it into the store and seal a release in build/release.yaml.

Only a model that passed the gate is packed, and only if its files are those of a commit.
"""

import argparse
import re
from datetime import datetime
from pathlib import Path

from mlops import gate, git
from mlops.console import Timer, say
from mlops.errors import Refused, UserError
from mlops.files import canonical, digest, digest_file, read_json
from mlops.paths import RELEASE, VERDICT
from mlops.releases import bundle
from mlops.releases.release import (
    Bundle,
    Contract,
    Data,
    Promoted,
    Proof,
    Release,
    ReleasedModel,
    Source,
    new_release,
    write_release,
)
from mlops.releases.store import Store
from mlops.rules import Verdict
from mlops.serving.answer import Answer
from mlops.serving.openapi import response_schema
from mlops.training import calls, contract, partitions, record
from mlops.training.pickles import pickles


def run(_: argparse.Namespace) -> None:
    """Pack, store and seal; a second run changes nothing."""
    timer = Timer()
    training = record.read_record()
    proof = _require_pass(training)
    _require_commit(training)
    store = Store(contract.params().store)
    model = record.model_folder(training)
    _require_judged_pickles(training, model)
    with_onnx = record.serves_onnx(training)
    packed = bundle.pack(training, _exported(training) if with_onnx else model)
    _require_parity(training, packed)
    new = store.put(packed.path, packed.digest)
    release = _seal(training, packed, proof)
    write_release(RELEASE, release)
    where = "put into" if new else "already in"
    size = f"{packed.bytes / 1e6:.1f} MB"
    say("package", f"bundle {packed.digest[:19]}, {size}, {where} {store.name}")
    say("package", f"release {release.release_id} ({timer.seconds:.1f} s)")


def _require_pass(training: record.Record) -> Proof:
    """Return the gate's verdict as evidence; Refused unless it passes this record."""
    verdict = read_json(VERDICT, made_by="gate")
    if not {"verdict", "reason", "record", "at"} <= verdict.keys():
        raise UserError(f"{VERDICT} is not a verdict of this version. Run `make gate`.")
    if verdict["record"] != record.record_digest(training):
        raise Refused("the gate's verdict is about another training. Run `make evaluate gate`.")
    if verdict["verdict"] != Verdict.PASS:
        raise Refused(f"the verdict of the gate is {verdict['verdict']}: {verdict['reason']}")
    return Proof(
        kind="gate",
        environment="build",
        verdict=verdict["verdict"],
        reason=verdict["reason"],
        at=datetime.fromisoformat(verdict["at"]),
        digest=digest_file(VERDICT),
        figures={"metrics": _measured(training["evaluation"])},
    )


def _require_judged_pickles(training: record.Record, model: Path) -> None:
    """Raise Refused if the model has pickle that the gate did not judge, in an older record."""
    unjudged = pickles(model).items() - training["model"].get("pickled", {}).items()
    if unjudged:
        rule, names = gate.NO_PICKLE, ", ".join(sorted(name for name, _ in unjudged))
        raise Refused(
            f"{rule.id} {rule.sentence}\n  {names} in {model} is pickle, which the gate did not "
            "judge. Run `make train evaluate gate`."
        )


def _exported(training: record.Record) -> Path:
    """Export the model; Refused if it scores otherwise than the trained one, else its folder."""
    from mlops.gate.export import EXPORTED, export

    exported = export(training)
    finding = exported.finding
    if finding.verdict is not Verdict.PASS:
        raise Refused(f"{finding.rule} {EXPORTED.sentence}\n  {finding.message}")
    say("package", f"{exported.folder}: {finding.message}")
    return exported.folder


def _measured(evaluation: dict) -> dict:
    """Return the metrics that passed the gate; `monitor` compares production with them."""
    # People read the file: more digits than the interval supports would mislead.
    return {
        name: {
            key: None if value is None else float(f"{value:.6g}")
            for key, value in {**metric["candidate"], "constant": metric["constant"]}.items()
            if key != "undefined"
        }
        for name, metric in evaluation["metrics"].items()
    }


def _require_parity(training: record.Record, packed: bundle.PackedBundle) -> None:
    """Raise Refused if the served bundle scores rows differently from the model in process."""
    from mlops.gate import export, parity

    values = contract.params()
    columns = contract.columns(values.gate.cluster)
    newest = partitions.load(training["data"]["holdout"]["partitions"][-1:]).frame
    features = newest[list(columns.features)]
    frame = parity.sample(features, values.serve.max_rows, contract.nullable(columns.features))
    expected = calls.predict(contract.team_model().load(record.model_folder(training)), frame)
    source = bundle.unpack(packed.path, packed.digest, bundle.folder_of(packed.digest)) / "src"
    tolerance = export.TOLERANCE if record.serves_onnx(training) else parity.TOLERANCE
    finding = parity.compare(source, frame, expected, values.serve.ready_seconds, tolerance)
    if finding.verdict is not Verdict.PASS:
        raise Refused(f"{finding.rule} {parity.PARITY.sentence}\n  {finding.message}")
    say("package", finding.message)


def _require_commit(training: record.Record) -> None:
    """Raise Refused if the files of the training, or the files here now, differ from the commit."""
    commit = training["source"]["commit"]
    uncommitted = training["source"]["changed"]
    if uncommitted:
        raise Refused(
            f"the model was trained with files that differ from commit {commit[:12]}: "
            f"{', '.join(uncommitted)}. A release names a commit: commit them, then "
            "`make train evaluate gate package`."
        )
    since = git.git("diff", "--name-only", commit, "--", *record.SOURCES).splitlines()
    different = sorted({*since, *git.changed(*record.SOURCES)})
    if different:
        raise Refused(
            f"these files changed after the model was trained at commit {commit[:12]}: "
            f"{', '.join(different)}. Restore them, or commit them and "
            "`make train evaluate gate package`."
        )


def _seal(training: record.Record, packed: bundle.PackedBundle, proof: Proof) -> Release:
    commit, data = training["source"]["commit"], training["data"]
    train, holdout = data["train"], data["holdout"]
    origin = git.git("remote", "get-url", "origin", check=False)
    promoted = Promoted(
        bundle=Bundle(digest=packed.digest, bytes=packed.bytes),
        model=ReleasedModel(
            name=training["name"],
            digest=training["model"]["digest"],
            bytes=training["model"]["bytes"],
        ),
        data=Data(
            train=tuple(train["partitions"]),
            holdout=tuple(holdout["partitions"]),
            fingerprint=record.data_fingerprint(train["fingerprint"], holdout["fingerprint"]),
        ),
        source=Source(repository=repository_in(origin), commit=commit),
        contract=Contract(input=_input(packed.schema), output=_output(training)),
    )
    return new_release(promoted, [proof])


def _input(schema: dict) -> str:
    """Return the digest of the row schema without its descriptions: these are no contract."""
    fields = {
        name: {key: value for key, value in rule.items() if key != "description"}
        for name, rule in schema["properties"].items()
    }
    return digest(canonical(fields))


def _output(training: record.Record) -> str:
    return digest(canonical(response_schema(Answer.of_record(training))))


def repository_in(url: str) -> str | None:
    """Return `owner/name` of a remote's URL, never the URL itself: it may hold a password."""
    match = re.fullmatch(
        r"(?:\w+://(?:[^@/]*@)?|[^@/:]+@)[^@/:]+(?::\d+)?[/:]([^@]+?)(?:\.git)?/?", url
    )
    return match[1] if match else None
