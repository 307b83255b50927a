"""Other servers that the API server asks or tells, each named by a kubeconfig file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from cybernetes.client import kubeconfig
from cybernetes.wire.http.client import HttpTransport


def open_webhook(file: str) -> tuple[HttpTransport, str]:
    """The transport to the server of a kubeconfig's current context, and the path of its URL. Raises EdgeError."""
    access = kubeconfig.access(kubeconfig.load([Path(file)]))
    url = urlsplit(access.server)
    return kubeconfig.transport(msgspec.structs.replace(access, server=f"{url.scheme}://{url.netloc}")), url.path
