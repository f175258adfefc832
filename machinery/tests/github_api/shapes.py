"""The smallest answers GitHub's description allows, kept in shapes.json so that the stand-in can
answer where the description cannot be had. Renewed by
`python -m machinery.tests.github_api.shapes`.
"""

import json
from pathlib import Path

from machinery.tests.github_api.description import description, resolve

FILE = Path(__file__).with_name("shapes.json")
REPO = "/repos/{owner}/{repo}"
ACTIONS = f"{REPO}/actions"
# What to call it, and whose answer it is; with [] one item of a list.
WHERE = {
    "repository": ("get", REPO, "200"),
    "pull": ("post", f"{REPO}/pulls", "201"),
    "pull-listed": ("get", f"{REPO}/pulls", "200"),
    "file": ("get", f"{REPO}/pulls/{{pull_number}}/files", "200"),
    "comment": ("post", f"{REPO}/issues/{{issue_number}}/comments", "201"),
    "label": ("post", f"{REPO}/labels", "201"),
    "ref": ("post", f"{REPO}/git/refs", "201"),
    "branch": ("get", f"{REPO}/branches/{{branch}}", "200"),
    "commit": ("get", f"{REPO}/commits/{{ref}}", "200"),
    "check-run": ("get", f"{REPO}/check-runs/{{check_run_id}}", "200"),
    "ruleset": ("post", f"{REPO}/rulesets", "201"),
    "environment": ("put", f"{REPO}/environments/{{environment_name}}", "200"),
    "workflow": ("get", f"{ACTIONS}/workflows/{{workflow_id}}", "200"),
    "run": ("get", f"{ACTIONS}/runs/{{run_id}}", "200"),
    "job": ("get", f"{ACTIONS}/jobs/{{job_id}}", "200"),
    "deployment": ("get", f"{REPO}/deployments", "200"),
    "deployment-status": ("get", f"{REPO}/deployments/{{deployment_id}}/statuses", "200"),
    "artifact": ("get", f"{ACTIONS}/artifacts/{{artifact_id}}", "200"),
    "user": ("get", "/users/{username}", "200"),
    "runner-group": ("get", "/orgs/{org}/actions/runner-groups/{runner_group_id}", "200"),
}


def shape(method: str, path: str, status: str):
    """Return the smallest answer of an operation."""
    answer = resolve(description()["paths"][path][method]["responses"][status])
    schema = resolve(answer["content"]["application/json"]["schema"])
    return smallest(schema["items"] if schema.get("type") == "array" else schema)


def smallest(schema: dict):  # pylint: disable=too-many-return-statements
    """Return the smallest value a schema allows: what is required, null where that will do."""
    schema = resolve(schema)
    if schema.get("nullable"):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if "allOf" in schema:
        return {key: v for part in schema["allOf"] for key, v in smallest(part).items()}
    for one in ("oneOf", "anyOf"):
        if one in schema and "properties" not in schema:
            return smallest(schema[one][0])
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {key: smallest(properties[key]) for key in sorted(schema.get("required", []))}
    if schema.get("type") == "string":
        return "2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else ""
    return {"array": [], "integer": 0, "number": 0, "boolean": False}[schema["type"]]


def written() -> str:
    """Return shapes.json as the description gives it, one shape a line."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(shape(*where), sort_keys=True)}"
        for name, where in WHERE.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
