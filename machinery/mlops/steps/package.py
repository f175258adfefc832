"""Pack the model into a bundle, put it into the store and seal a release in build/release.yaml.

Only what passed the gate is packed, and only when the files it was made from are those of a commit.
"""

import argparse
import re
from datetime import datetime

from mlops import git
from mlops.console import Timer, say
from mlops.errors import Refused, UserError
from mlops.files import canonical, digest, digest_file, read_json
from mlops.paths import RELEASE, VERDICT
from mlops.releases import bundle
from mlops.releases.release import (
    Bundle,
    Contract,
    Data,
    Model,
    Promoted,
    Proof,
    Release,
    Source,
    new_release,
    write_release,
)
from mlops.releases.store import Store
from mlops.rules import Verdict
from mlops.serving.openapi import ANSWER
from mlops.training import contract, record


def run(_: argparse.Namespace) -> None:
    """Pack, store and seal; doing it again changes nothing."""
    timer = Timer()
    made = record.read_record()
    proof = _require_pass(made)
    _require_commit(made)
    store = Store(contract.params().store)
    packed = bundle.pack(made, record.model_folder(made))
    _require_parity(made, packed)
    new = store.put(packed.path, packed.digest)
    release = _seal(made, packed, proof)
    write_release(RELEASE, release)
    where = "put into" if new else "already in"
    size = f"{packed.bytes / 1e6:.1f} MB"
    say("package", f"bundle {packed.digest[:19]}, {size}, {where} {store.name}")
    say("package", f"release {release.release_id} ({timer.seconds:.1f} s)")


def _require_pass(made: record.Record) -> Proof:
    """Return the gate's verdict as evidence; raises Refused unless it passes this very record."""
    verdict = read_json(VERDICT, made_by="gate")
    if not {"verdict", "reason", "record", "at"} <= verdict.keys():
        raise UserError(f"{VERDICT} is not a verdict of this version. Run `make gate`.")
    if verdict["record"] != record.record_digest(made):
        raise Refused("the gate's verdict is about another training. Run `make evaluate gate`.")
    if verdict["verdict"] != Verdict.PASS:
        raise Refused(f"the gate says {verdict['verdict']}: {verdict['reason']}")
    return Proof(
        kind="gate",
        environment="build",
        verdict=verdict["verdict"],
        reason=verdict["reason"],
        at=datetime.fromisoformat(verdict["at"]),
        digest=digest_file(VERDICT),
        figures={"metrics": _measured(made["evaluation"])},
    )


def _measured(evaluation: dict) -> dict:
    """Return the metrics that passed the gate: what the model promises, as `monitor` reads it."""
    # People read the file this ends in, so no more digits than the interval is worth.
    return {
        name: {
            key: None if value is None else float(f"{value:.6g}")
            for key, value in {**metric["candidate"], "constant": metric["constant"]}.items()
            if key != "undefined"
        }
        for name, metric in evaluation["metrics"].items()
    }


def _require_parity(made: record.Record, packed: bundle.Bundle) -> None:
    """Raise Refused when the packed model, served, answers other than the model in process."""
    from mlops.gate import parity

    values = contract.params()
    columns = contract.columns(values.gate.cluster)
    newest = contract.load(made["data"]["holdout"]["partitions"][-1:]).frame
    frame = parity.sample(newest[list(columns.features)], values.serve.max_rows)
    expected = contract.predict(contract.team_model().load(record.model_folder(made)), frame)
    source = bundle.unpack(packed.path, packed.digest, bundle.folder_of(packed.digest)) / "src"
    found = parity.compare(source, frame, expected, values.serve.ready_seconds)
    if found.verdict is not Verdict.PASS:
        raise Refused(f"{found.rule} {parity.PARITY.sentence}\n  {found.message}")
    say("package", found.message)


def _require_commit(made: record.Record) -> None:
    """Raise Refused when the files trained with, or those here now, are not those of the commit."""
    commit = made["source"]["commit"]
    trained = made["source"]["changed"]
    if trained:
        raise Refused(
            f"the model was trained with files that commit {commit[:12]} does not have so: "
            f"{', '.join(trained)}. A release names a commit: commit them, then "
            "`make train evaluate gate package`."
        )
    since = git.git("diff", "--name-only", commit, "--", *record.SOURCES).splitlines()
    different = sorted({*since, *git.changed(*record.SOURCES)})
    if different:
        raise Refused(
            f"these files are not what the model was trained with at commit {commit[:12]}: "
            f"{', '.join(different)}. Restore them, or commit them and "
            "`make train evaluate gate package`."
        )


def _seal(made: record.Record, packed: bundle.Bundle, proof: Proof) -> Release:
    commit, data = made["source"]["commit"], made["data"]
    train, holdout = data["train"], data["holdout"]
    origin = git.git("remote", "get-url", "origin", check=False)
    promoted = Promoted(
        bundle=Bundle(digest=packed.digest, bytes=packed.bytes),
        model=Model(
            name=made["name"], digest=made["model"]["digest"], bytes=made["model"]["bytes"]
        ),
        data=Data(
            train=tuple(train["partitions"]),
            holdout=tuple(holdout["partitions"]),
            fingerprint=record.data_fingerprint(train["fingerprint"], holdout["fingerprint"]),
        ),
        source=Source(repository=repository_in(origin), commit=commit),
        contract=Contract(input=_input(packed.schema), output=digest(canonical(ANSWER))),
    )
    return new_release(promoted, [proof])


def _input(schema: dict) -> str:
    """Return the digest of what a row may hold; how it is described is no part of the contract."""
    fields = {
        name: {key: value for key, value in rule.items() if key != "description"}
        for name, rule in schema["properties"].items()
    }
    return digest(canonical(fields))


def repository_in(url: str) -> str | None:
    """Return `owner/name` of a remote's URL, never the URL itself: that may hold a password."""
    found = re.fullmatch(
        r"(?:\w+://(?:[^@/]*@)?|[^@/:]+@)[^@/:]+(?::\d+)?[/:]([^@]+?)(?:\.git)?/?", url
    )
    return found[1] if found else None
