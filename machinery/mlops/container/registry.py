"""An OCI registry: bundles and images by digest, copied between registries and never rebuilt.

Uses oras as the client (https://github.com/opencontainers/distribution-spec). Credentials are those
of `docker login`; for ghcr.io the variable GITHUB_TOKEN is enough. Plain HTTP only to this machine.
"""

import hashlib
import ipaddress
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.ci import actions
from mlops.console import without_password
from mlops.errors import UserError
from mlops.files import canonical, digest, digest_file

if TYPE_CHECKING:
    from requests import Response

IMAGE = "application/vnd.oci.image.manifest.v1+json"
MANIFESTS = (
    IMAGE,
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
EMPTY, EMPTY_TYPE = b"{}", "application/vnd.oci.empty.v1+json"
_NAME = re.compile(
    r"(?P<host>(?=localhost/|[^/]*[.:])[\w.:\[\]-]+)/(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
)


@dataclass(frozen=True)
class Manifest:
    """An OCI manifest: the list of the parts of an artifact or image."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """The digest of the manifest's bytes."""
        return digest(self.content)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The parsed JSON."""
        return json.loads(self.content)


class OciRepository:
    """A repository of a registry, named `host/path`, in lower case as registries demand."""

    def __init__(self, name: str) -> None:
        self.name = name.lower().rstrip("/")
        match = _NAME.fullmatch(self.name)
        if not match:
            raise UserError(
                f"{without_password(repr(name))} is no repository of a registry. Write a host and "
                "a path, such as ghcr.io/owner/name or 127.0.0.1:5000/name, without tag or digest."
            )
        self.host, self.path = match["host"], match["path"]

    def manifest(self, reference: str) -> Manifest | None:
        """Return the manifest under a tag or digest, None if there is none."""
        answer = self._request(
            "GET", f"manifests/{reference}", headers={"Accept": ", ".join(MANIFESTS)}
        )
        if answer.status_code == 404:
            return None
        manifest = Manifest(answer.content, answer.headers["Content-Type"].split(";")[0])
        if reference.startswith("sha256:") and manifest.digest != reference:
            raise UserError(
                f"{self.name}@{reference} holds other bytes: {manifest.digest}. They are not used. "
                "Push the image again."
            )
        return manifest

    def image(self, reference: str) -> dict[str, Any] | None:
        """Return an image's configuration (`os`, `architecture`, `config.Labels`), or None.

        For an image of several platforms it is that of the first one.
        """
        manifest = self.manifest(reference)
        if manifest and manifest.fields.get("manifests"):
            return self.image(manifest.fields["manifests"][0]["digest"])
        if manifest is None or "config" not in manifest.fields:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "config"
            self.download(manifest.fields["config"]["digest"], path)
            return json.loads(path.read_bytes())

    def tags(self, prefix: str = "") -> list[str]:
        """Return the tags with a prefix, sorted."""
        tags, path = [], "tags/list?n=1000"
        while path:
            answer = self._request("GET", path)
            tags += [] if answer.status_code == 404 else answer.json().get("tags") or []
            next_url = answer.links.get("next", {}).get("url")
            path = next_url and next_url.partition(f"/v2/{self.path}/")[2]
        return sorted(tag for tag in tags if tag.startswith(prefix))

    def push(self, path: Path, tag: str) -> str:
        """Push a file as an artifact under a tag, visible when complete; return its digest."""
        layer = self._upload(path)
        with tempfile.TemporaryDirectory() as scratch:
            empty = Path(scratch) / "empty"
            empty.write_bytes(EMPTY)
            config = self._upload(empty)
        parts = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "artifactType": "application/vnd.mlops.file.v1",
            "config": {"mediaType": EMPTY_TYPE, **config},
            "layers": [
                {
                    "mediaType": "application/octet-stream",
                    **layer,
                    "annotations": {"org.opencontainers.image.title": tag},
                }
            ],
            **_annotations(),
        }
        self._publish(Manifest(canonical(parts), IMAGE), tag)
        return layer["digest"]

    def pull(self, tag: str, path: Path) -> bool:
        """Download the artifact under a tag; return whether there is one.

        The caller must verify its bytes, since anybody who may push may move a tag.
        """
        manifest = self.manifest(tag)
        if manifest is None:
            return False
        self.download(manifest.fields["layers"][0]["digest"], path, check=False)
        return True

    def download(self, blob: str, path: Path, check: bool = True) -> None:
        """Download a blob to a file; raises UserError if it is missing or has another digest."""
        answer = self._request("GET", f"blobs/{blob}", stream=True)
        if answer.status_code == 404:
            raise UserError(f"{self.name} lists {blob}, but has lost it. Push it again.")
        state = hashlib.sha256()
        with path.open("wb") as file:
            for piece in answer.iter_content(2**20):
                state.update(piece)
                file.write(piece)
        if check and f"sha256:{state.hexdigest()}" != blob:
            raise UserError(
                f"{self.name} holds other bytes under {blob}. They are not used. Push it again."
            )

    def copy_from(self, source: "OciRepository", reference: str, tag: str | None = None) -> str:
        """Copy an image or artifact from another repository, byte for byte; return its digest."""
        manifest = source.manifest(reference)
        if manifest is None:
            raise UserError(
                f"{source.name} has no {reference}; it cannot be copied to {self.name}. Push it "
                "again."
            )
        if self.manifest(tag or manifest.digest) != manifest:
            for child in manifest.fields.get("manifests", ()):
                self.copy_from(source, child["digest"])
            config = [manifest.fields["config"]] if "config" in manifest.fields else []
            for part in [*config, *manifest.fields.get("layers", ())]:
                self._copy_blob(source, part["digest"])
            self._publish(manifest, tag or manifest.digest)
        return manifest.digest

    def _copy_blob(self, source: "OciRepository", blob: str) -> None:
        if self._request("HEAD", f"blobs/{blob}").status_code == 200:
            return
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "blob"
            source.download(blob, path)
            self._upload(path)

    def _upload(self, path: Path) -> dict[str, Any]:
        """Upload a file as a blob if it is missing; return its entry for a manifest."""
        part = {"digest": digest_file(path), "size": path.stat().st_size}
        with self._explained_errors():
            answer = self._client.upload_blob(str(path), self._container, part)
        self._require_status(answer, "upload", (200, 201, 204))
        return part

    def _publish(self, manifest: Manifest, reference: str) -> None:
        headers = {"Content-Type": manifest.media_type}
        answer = self._request(
            "PUT", f"manifests/{reference}", (201,), data=manifest.content, headers=headers
        )
        stored = answer.headers.get("Docker-Content-Digest", manifest.digest)
        if stored != manifest.digest:
            raise UserError(
                f"{self.name} stored {manifest.digest} as {stored}. Do not use it; push it again."
            )

    def _request(
        self, method: str, path: str, allowed: tuple = (200, 404), **options: Any
    ) -> "Response":
        url = f"{self._client.prefix}://{self.host}/v2/{self.path}/{path}"
        with self._explained_errors():
            answer = self._client.do_request(url, method, **options)
        self._require_status(answer, f"{method} {path}", allowed)
        return answer

    def _require_status(self, answer: "Response", request: str, allowed: tuple) -> None:
        if answer.status_code in allowed:
            return
        text = "" if answer.raw is None else " ".join(answer.text[:300].split())
        remedy = "See the registry's log."
        if answer.status_code in (401, 403):
            remedy = f"Log in as a user who may do this: docker login {self.host}."
        if answer.status_code == 403 and self.host == "ghcr.io" and actions.inside():
            # The token is good: a package that was not made by this repository does not know it.
            remedy = (
                "The package does not let this repository's workflows in. On its page on GitHub, "
                "Package settings, Manage Actions access: add the repository with the role Write. "
                "Or set the variable MLOPS_STORE to a name that no package has yet."
            )
        raise UserError(
            f"{self.name}: {request} was answered with {answer.status_code}: {text} {remedy}"
        )

    @contextmanager
    def _explained_errors(self) -> Iterator[None]:
        """Raise network and authentication errors as UserErrors that name the registry."""
        from requests import RequestException

        try:
            yield
        except (RequestException, ValueError, AttributeError) as error:
            # oras raises the latter two if the registry asks for credentials and there are none.
            if isinstance(error, RequestException):
                problem = f"cannot be reached: {error}. Check its name and the network."
            else:
                problem = f"asks for credentials. Log in: docker login {self.host}"
            raise UserError(f"The registry {self.host} {problem}") from None

    @cached_property
    def _container(self) -> Any:
        from oras.container import Container

        return Container(f"{self.host}/{self.path}")

    @cached_property
    def _client(self) -> Any:
        from mlops.container.registry_client import RegistryClient

        with self._explained_errors():
            return RegistryClient(self.host, self._container, loopback=is_loopback(self.host))


def _annotations() -> dict[str, dict[str, str]]:
    """Return the annotation that links a package to its repository on GitHub."""
    repository = os.environ.get("GITHUB_REPOSITORY")
    if not repository:
        return {}
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return {"annotations": {"org.opencontainers.image.source": f"{server}/{repository}"}}


def is_loopback(host: str) -> bool:
    """Return whether a registry's host is this machine."""
    name = host.rpartition(":")[0] or host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
