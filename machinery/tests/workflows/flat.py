"""Called workflows as plain jobs of their caller, since act stops at the first one that fails.

Inputs become what the caller gives, outputs what the job gives; `needs`, `if`, `always()` and the
aggregator then see what they see on GitHub. Each workflow called has one job.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
FROM_JSON = re.compile(r"fromJSON\((\([^()]*\)|[^()]*)\)")
OUTPUT = re.compile(r"\$\{\{\s*jobs\.[\w-]+\.outputs\.([\w-]+)\s*\}\}")
# GitHub knows these, act does not yet; they change nothing that is executed.
UNKNOWN_TO_ACT = re.compile(r"(?m)^ *(queue: max|cache-mode: [a-z-]+|deployment: false)( *#.*)?\n")


def load(path: Path) -> dict[str, Any]:
    """Return a workflow or an action as plain values."""
    # To YAML 1.1 a bare `on` is a truth, to Actions a word.
    return yaml.safe_load(re.sub("(?m)^on:", "'on':", path.read_text("utf-8")))


def known(text: str) -> str:
    """Return a workflow as act can read it."""
    return re.sub(r"(?m)(uses: )\$/", r"\1./", UNKNOWN_TO_ACT.sub("", text))


def flatten(path: Path, folder: Path) -> str:
    """Return a workflow of the repository in a folder as one that calls no other of it."""
    workflow = load(path)
    workflow["jobs"] = dict(_unfolded(workflow["jobs"], folder))
    for name, job in workflow["jobs"].items():
        if job.get("uses", "").startswith("$/"):
            workflow["jobs"][name] = _inline(job, load(folder / job["uses"][2:]))
    text = known(yaml.safe_dump(workflow, sort_keys=False, width=1000))
    # act reads a matrix before it asks whether the job runs at all; GitHub reads none then.
    return FROM_JSON.sub(lambda call: f"fromJSON({call[1]} || '[null]')", text)


def _unfolded(jobs: dict[str, Any], folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield jobs, in place of one that calls calling jobs these: each leg for itself on GitHub."""
    for name, job in jobs.items():
        called = load(folder / job["uses"][2:]) if job.get("uses", "").startswith("$/") else None
        if called is None or not all("uses" in inner for inner in called["jobs"].values()):
            yield name, job
            continue
        given = dict(_given(job, called["on"]["workflow_call"]))
        for key, inner in called["jobs"].items():
            found = _replace(inner, given)
            found["name"] = f"{job['name']} / {inner['name']}"
            found["strategy"] = deepcopy(job["strategy"])
            needed = inner.get("needs", [])
            found["needs"] = [*job["needs"], *(f"{name}-{one}" for one in needed)]
            for one in needed:
                found["with"] = _renamed(found["with"], f"needs.{one}.", f"needs.{name}-{one}.")
            # act takes no matrix in the condition of a job, so it is that of its steps.
            found["leg"] = found.pop("if", "true")
            yield f"{name}-{key}", found | ({"if": job["if"]} if "if" in job else {})


def _renamed(values: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {k: v.replace(old, new) if isinstance(v, str) else v for k, v in values.items()}


def _both(*jobs: dict[str, Any]) -> str:
    """Return the conditions of jobs as one."""
    conditions = [_bare(one["if"]) for one in jobs if "if" in one]
    return "${{ " + " && ".join(f"({one})" for one in conditions) + " }}"


def _inline(job: dict[str, Any], called: dict[str, Any]) -> dict[str, Any]:
    (inner,) = called["jobs"].values()
    contract = called["on"]["workflow_call"] or {}
    result = _replace(inner, dict(_given(job, contract)))
    result["name"] = f"{job['name']} / {result['name']}"
    result["needs"] = job.get("needs", [])
    if "strategy" in job:
        result["strategy"] = job["strategy"]
    if "if" in job or "if" in result:
        result["if"] = _both(job, result)
    for step in result["steps"] if "leg" in job else ():
        step["if"] = _both({"if": job["leg"]}, step)
    result["outputs"] = {
        name: result["outputs"][OUTPUT.fullmatch(declared["value"].strip())[1]]
        for name, declared in contract.get("outputs", {}).items()
    }
    return result


def _given(job: dict[str, Any], contract: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each input and secret of a called workflow with the term its caller gives for it."""
    for name, declared in contract.get("inputs", {}).items():
        yield f"inputs.{name}", _term(job.get("with", {}).get(name, declared.get("default", "")))
    for name in contract.get("secrets", {}):
        yield f"secrets.{name}", _term(job.get("secrets", {}).get(name, ""))


def _bare(condition: Any) -> str:
    """Return a condition without the braces it may stand in."""
    text = str(condition).lower() if isinstance(condition, bool) else str(condition).strip()
    match = EXPRESSION.fullmatch(text)
    return match[1].strip() if match else text


def _term(value: Any) -> str:
    """Return what a caller gives as a term of an expression."""
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if whole := EXPRESSION.fullmatch(value.strip()):
        return f"({whole[1].strip()})"
    assert not EXPRESSION.search(value), f"{value!r} mixes text and expressions: use format()"
    return "'" + value.replace("'", "''") + "'"


def _replace(value: Any, given: dict[str, str]) -> Any:
    """Return a value with the inputs in its expressions replaced by what was given for them."""
    if isinstance(value, dict):
        return {key: _replace(_braced(key, inner), given) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replace(inner, given) for inner in value]
    if not isinstance(value, str) or not given:
        return value
    names = re.compile(r"(?<![\w.-])(inputs|secrets)\.[\w-]+")
    return EXPRESSION.sub(
        lambda whole: names.sub(lambda name: given.get(name[0], name[0]), whole[0]), value
    )


def _braced(key: str, value: Any) -> Any:
    """Return a condition in braces, which it may lack."""
    if key == "if" and isinstance(value, str) and not EXPRESSION.search(value):
        return "${{ " + value + " }}"
    return value
