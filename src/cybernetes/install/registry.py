"""An image registry on this machine (Debian's docker-registry), behind the cluster's TLS, and pushing to it.

source  OCI Distribution Specification 1.0, "Push"
"""

from __future__ import annotations

import http.client
import ssl
import urllib.parse
from pathlib import Path

import yaml

from cybernetes.base.errors import EdgeError
from cybernetes.install.oci import Image
from cybernetes.run.config import bracketed

# The registry's name in image references; nodes are told where it is, so that no name server is needed.
REGISTRY_NAME = "registry.cybernetes:5000"
REGISTRY_PORT = 5000
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_TIMEOUT_S = 30


def write_configuration(
    path: Path, *, storage: Path, address: str, certificate: Path, key: Path, client_ca: Path
) -> None:
    """docker-registry's configuration: only clients with a certificate of `client_ca` are answered."""
    storage.mkdir(parents=True, exist_ok=True)
    document = {
        "version": "0.1",
        "log": {"accesslog": {"disabled": True}, "level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        "http": {
            "addr": address,
            "tls": {"certificate": str(certificate), "key": str(key), "clientcas": [str(client_ca)]},
        },
    }
    path.write_text(yaml.safe_dump(document))


class RegistryClient:
    """Pushes images over one TLS connection."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._host = f"{bracketed(host)}:{port}"
        self._connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)

    def push(self, image: Image, repository: str, tag: str) -> None:
        """Upload what is missing, then name it. Raises EdgeError; may be repeated."""
        for digest, blob in image.blobs.items():
            if digest != image.manifest and not self._has_blob(repository, digest):
                self._upload(repository, digest, blob)
        headers = {"Content-Type": _MANIFEST}
        path = f"/v2/{repository}/manifests/{tag}"
        self._call("PUT", path, image.blobs[image.manifest], headers, ok=(201,))

    def has(self, repository: str, tag: str, digest: str) -> bool:
        status, headers = self._call(
            "HEAD", f"/v2/{repository}/manifests/{tag}", b"", {"Accept": _MANIFEST}, ok=(200, 404)
        )
        return status == 200 and headers.get("docker-content-digest") == digest

    def _has_blob(self, repository: str, digest: str) -> bool:
        status, _ = self._call("HEAD", f"/v2/{repository}/blobs/{digest}", b"", {}, ok=(200, 404))
        return status == 200

    def _upload(self, repository: str, digest: str, blob: bytes) -> None:
        _, headers = self._call("POST", f"/v2/{repository}/blobs/uploads/", b"", {}, ok=(202,))
        location = urllib.parse.urlsplit(headers["location"])
        query = f"{location.query}&digest={digest}" if location.query else f"digest={digest}"
        content = {"Content-Type": "application/octet-stream"}
        self._call("PUT", f"{location.path}?{query}", blob, content, ok=(201,))

    def _call(
        self, method: str, path: str, body: bytes, headers: dict[str, str], ok: tuple[int, ...]
    ) -> tuple[int, dict[str, str]]:
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as broken:
            self._connection.close()
            raise EdgeError(f"{method} {path} at registry", self._host, str(broken)) from broken
        if answer.status not in ok:
            raise EdgeError(
                f"{method} {path} at registry", self._host, f"{answer.status} {content[:200].decode(errors='replace')}"
            )
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
