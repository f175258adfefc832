"""The sections on a model's origin: its cost, its versions, the commands that reproduce it."""

import shlex

from mlops.report.subject import Judged, count, device, short
from mlops.report.tree import Code, Commands, Paragraph, Part, Section, Table, names
from mlops.training.record import record_digest


def cost(judged: Judged) -> Section:
    """Return the cost of training and evaluation."""
    record = judged.record
    spent, megabytes = record["cost"], record["model"]["bytes"] / 1e6
    threads = spent["train_threads"]
    row = (
        f"{spent['train_seconds']:.1f} s",
        "all cores" if threads == 0 else str(threads),
        f"{spent['evaluate_seconds']:.1f} s",
        f"{spent['peak_megabytes']:,} MB",
        f"{megabytes:.2f} MB",
        device(record),
    )
    columns = ("training", "threads", "evaluation", "peak memory", "model", "device")
    latency = {key: spent[key] for key in ("predict_p50_ms", "predict_p99_ms") if key in spent}
    columns += tuple(f"{key.split('_')[1]} of a prediction" for key in latency)
    row += tuple(f"{milliseconds:.2f} ms" for milliseconds in latency.values())
    return Section("Cost", (Table(columns, [row]),))


def versions(judged: Judged) -> Section:
    """Return the versions and digests of everything the model was made from."""
    record = judged.record
    environment, data = record["environment"], record["data"]
    made_with = {"Python": environment["python"], **environment["libraries"]}
    made_with["platform"] = environment["platform"]
    digests = {
        "data trained on": data["train"]["fingerprint"],
        "data held out": data["holdout"]["fingerprint"],
        "parameters": record["params"]["fingerprint"],
        "model": record["model"]["digest"],
        "record": record_digest(record),
    }
    rows = [(name, Code(value)) for name, value in {**made_with, **digests}.items()]
    return Section("Versions and digests", (Table(("item", "value"), rows),), minor=True)


def reproduce(judged: Judged) -> Section:
    """Return the commands that reproduce this model and this report."""
    record = judged.record
    commit, changed = record["source"]["commit"], record["source"]["changed"]
    steps = "make check-data train evaluate report gate"
    ref = record["source"].get("ref")
    fetch = (f"git fetch origin {shlex.quote(str(ref))}",) if ref else ()
    checkout = f"git checkout {shlex.quote(commit)}"
    parts: list[Part] = [Commands((*fetch, checkout, "make setup", steps))]
    if changed:
        files = count(changed, "file")
        opening = (
            f"{files} differed from the commit, so the commit alone does not give this model: "
        )
        parts.append(Paragraph((opening, *names(changed), ".")))
    else:
        digest = Code(short(record["model"]["digest"]))
        opening = "On the same kind of machine training gives the model "
        parts.append(Paragraph((opening, digest, " again.")))
    if judged.evaluation["champion"]:
        store = Code(str(record["params"]["values"]["store"]))
        # The record does not contain the store in use, which differs between machines.
        opening = "The champion's bundle comes from the store in ", Code("MLOPS_STORE")
        parts.append(Paragraph((*opening, ", by default from params.yaml's, ", store, ".")))
    return Section("Reproduce this", tuple(parts), minor=True)
