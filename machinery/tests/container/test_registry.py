"""What a registry is given and what its refusals are answered with; tests/engine/ has real ones."""

import json
from types import SimpleNamespace

import pytest
from requests import Response

from mlops.container.registry import OciRepository
from mlops.errors import UserError


class Registry:
    """Answers every request with one status, and keeps the manifests it was sent."""

    prefix = "https"

    def __init__(self, status):
        self.status, self.manifests = status, []

    def do_request(self, url, method, **options):
        """Answer a request."""
        del url
        if method == "PUT":
            self.manifests.append(json.loads(options["data"]))
        answer = Response()
        answer.status_code = self.status
        return answer

    def upload_blob(self, *_):
        """Take a part."""
        return SimpleNamespace(status_code=201)


def repository(name, status):
    """A repository whose registry answers so, and that registry."""
    made, asked = OciRepository(name), Registry(status)
    # In place of the client, and of what oras calls the place.
    vars(made).update(_client=asked, _container=None)
    return made, asked


@pytest.mark.parametrize(
    ("name", "inside", "status", "words"),
    [
        ("ghcr.io/o/flights", "true", 403, "Manage Actions access: add the repository"),
        ("ghcr.io/o/flights", "true", 401, "docker login ghcr.io"),
        ("ghcr.io/o/flights", "", 403, "docker login ghcr.io"),
        ("registry.example.org/flights", "true", 403, "docker login registry.example.org"),
    ],
)
def test_a_package_of_another_repository_is_not_mended_by_logging_in(
    monkeypatch, name, inside, status, words
):
    """A run's token is good for its own packages; for others their settings decide."""
    monkeypatch.setenv("GITHUB_ACTIONS", inside)
    with pytest.raises(UserError, match=words):
        repository(name, status)[0].manifest("latest")


def test_what_a_workflow_pushes_is_tied_to_its_repository(monkeypatch, tmp_path):
    """By this GitHub lets the next run of the same repository in."""
    file = tmp_path / "bundle"
    file.write_bytes(b"bundle")
    made, asked = repository("ghcr.io/o/flights", 201)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    made.push(file, "one")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/flights")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    made.push(file, "two")
    assert "annotations" not in asked.manifests[0]
    assert asked.manifests[1]["annotations"] == {
        "org.opencontainers.image.source": "https://github.com/o/flights"
    }
