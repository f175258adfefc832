"""A token of an app: asked for with its key, and with named permissions only."""

from machinery.tests.workflows.standins.standin import INPUTS, output, tell

tell("actions/create-github-app-token")
assert INPUTS.get("client-id"), "client-id is empty"
assert INPUTS.get("private-key"), "private-key is empty"
assert any(value for key, value in INPUTS.items() if key.startswith("permission-"))
output("token", "token-of-the-app")
