"""An OCI registry: bundles and images by digest, copied from one to another and never rebuilt.

https://github.com/opencontainers/distribution-spec, spoken by oras. Credentials are those of
`docker login`; for ghcr.io GITHUB_TOKEN will do. Plain HTTP is spoken with this machine only.
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
    """What a registry keeps under a digest: the list of an artifact's or an image's parts."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """The digest of its bytes."""
        return digest(self.content)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """What it says."""
        return json.loads(self.content)


class Repository:
    """A repository of a registry, named `host/path`; capitals are lowered, as registries ask."""

    def __init__(self, name: str) -> None:
        self.name = name.lower().rstrip("/")
        found = _NAME.fullmatch(self.name)
        if not found:
            raise UserError(
                f"{without_password(repr(name))} is no repository of a registry. It has a host and "
                "a path, such as ghcr.io/owner/name or 127.0.0.1:5000/name, and neither tag nor "
                "digest."
            )
        self.host, self.path = found["host"], found["path"]

    def manifest(self, reference: str) -> Manifest | None:
        """Return what a tag or digest names, None where there is no such thing."""
        answer = self._ask(
            "GET", f"manifests/{reference}", headers={"Accept": ", ".join(MANIFESTS)}
        )
        if answer.status_code == 404:
            return None
        found = Manifest(answer.content, answer.headers["Content-Type"].split(";")[0])
        if reference.startswith("sha256:") and found.digest != reference:
            raise UserError(f"{self.name}@{reference} holds other bytes: {found.digest}. Not used.")
        return found

    def image(self, reference: str) -> dict[str, Any] | None:
        """Return an image's configuration (`os`, `architecture`, `config.Labels`), or None.

        Of an image for several platforms it is the first one's.
        """
        found = self.manifest(reference)
        if found and found.fields.get("manifests"):
            return self.image(found.fields["manifests"][0]["digest"])
        if found is None or "config" not in found.fields:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "config"
            self.download(found.fields["config"]["digest"], path)
            return json.loads(path.read_bytes())

    def tags(self, prefix: str = "") -> list[str]:
        """Return the tags that begin so, sorted."""
        found, path = [], "tags/list?n=1000"
        while path:
            answer = self._ask("GET", path)
            found += [] if answer.status_code == 404 else answer.json().get("tags") or []
            after = answer.links.get("next", {}).get("url")
            path = after and after.partition(f"/v2/{self.path}/")[2]
        return sorted(tag for tag in found if tag.startswith(prefix))

    def push(self, path: Path, tag: str) -> str:
        """Keep a file as an artifact under a tag, visible when whole; return the file's digest."""
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
        """Write the file that was pushed under a tag; return whether there was one.

        Its bytes are for the caller to check: whoever may push may move a tag.
        """
        found = self.manifest(tag)
        if found is None:
            return False
        self.download(found.fields["layers"][0]["digest"], path, check=False)
        return True

    def download(self, blob: str, path: Path, check: bool = True) -> None:
        """Write a part to a file; raises UserError where it is gone or its bytes are others."""
        answer = self._ask("GET", f"blobs/{blob}", stream=True)
        if answer.status_code == 404:
            raise UserError(f"{self.name} lists {blob}, but has it no more. Push it again.")
        state = hashlib.sha256()
        with path.open("wb") as file:
            for piece in answer.iter_content(2**20):
                state.update(piece)
                file.write(piece)
        if check and f"sha256:{state.hexdigest()}" != blob:
            raise UserError(f"{self.name} holds other bytes under {blob}. They are not used.")

    def take(self, source: "Repository", reference: str, tag: str | None = None) -> str:
        """Copy what another names by digest or tag, byte for byte and whole; return its digest."""
        found = source.manifest(reference)
        if found is None:
            raise UserError(
                f"{source.name} has no {reference}; it cannot be copied to {self.name}."
            )
        if self.manifest(tag or found.digest) != found:
            for child in found.fields.get("manifests", ()):
                self.take(source, child["digest"])
            config = [found.fields["config"]] if "config" in found.fields else []
            for part in [*config, *found.fields.get("layers", ())]:
                self._take_blob(source, part["digest"])
            self._publish(found, tag or found.digest)
        return found.digest

    def _take_blob(self, source: "Repository", blob: str) -> None:
        if self._ask("HEAD", f"blobs/{blob}").status_code == 200:
            return
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "blob"
            source.download(blob, path)
            self._upload(path)

    def _upload(self, path: Path) -> dict[str, Any]:
        """Upload a part unless it is there; return how a manifest names it."""
        part = {"digest": digest_file(path), "size": path.stat().st_size}
        with self._spoken():
            answer = self._client.upload_blob(str(path), self._container, part)
        self._require(answer, "upload", (200, 201, 204))
        return part

    def _publish(self, manifest: Manifest, reference: str) -> None:
        headers = {"Content-Type": manifest.media_type}
        answer = self._ask(
            "PUT", f"manifests/{reference}", data=manifest.content, headers=headers, fine=(201,)
        )
        told = answer.headers.get("Docker-Content-Digest", manifest.digest)
        if told != manifest.digest:
            raise UserError(f"{self.name} took {manifest.digest} for {told}. It is not to be used.")

    def _ask(self, method: str, path: str, fine: tuple = (200, 404), **options: Any) -> "Response":
        url = f"{self._client.prefix}://{self.host}/v2/{self.path}/{path}"
        with self._spoken():
            answer = self._client.do_request(url, method, **options)
        self._require(answer, f"{method} {path}", fine)
        return answer

    def _require(self, answer: "Response", what: str, fine: tuple) -> None:
        if answer.status_code in fine:
            return
        words = "" if answer.raw is None else " ".join(answer.text[:300].split())
        remedy = "Is the registry well?"
        if answer.status_code in (401, 403):
            remedy = f"Log in as somebody who may: docker login {self.host}."
        if answer.status_code == 403 and self.host == "ghcr.io" and actions.inside():
            # The token is good: a package that was not made by this repository does not know it.
            remedy = (
                "The package does not let this repository's workflows in. On its page on GitHub, "
                "Package settings, Manage Actions access: add the repository with the role Write. "
                "Or set the variable MLOPS_STORE to a name that no package has yet."
            )
        raise UserError(f"{self.name}: {what} was answered {answer.status_code}: {words} {remedy}")

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        """Tell what goes wrong on the way in words that name the repository."""
        from requests import RequestException

        try:
            yield
        except (RequestException, ValueError, AttributeError) as error:
            # oras raises the latter two where a registry asks for credentials it has none for.
            if isinstance(error, RequestException):
                said = f"cannot be reached: {error}. Check its name and the network."
            else:
                said = f"asks who this is. Log in: docker login {self.host}"
            raise UserError(f"The registry {self.host} {said}") from None

    @cached_property
    def _container(self) -> Any:
        from oras.container import Container

        return Container(f"{self.host}/{self.path}")

    @cached_property
    def _client(self) -> Any:
        from mlops.container.registry_client import Client

        with self._spoken():
            return Client(self.host, self._container, here=is_here(self.host))


def _annotations() -> dict[str, dict[str, str]]:
    """Return what ties a package to its repository on GitHub, whose workflows may use it then."""
    repository = os.environ.get("GITHUB_REPOSITORY")
    if not repository:
        return {}
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return {"annotations": {"org.opencontainers.image.source": f"{server}/{repository}"}}


def is_here(host: str) -> bool:
    """Say whether a registry's host is this machine."""
    name = host.rpartition(":")[0] or host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
