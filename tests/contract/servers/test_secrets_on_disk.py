"""A cluster that `up` gave a key service: no Secret can be read on its disk, whatever the store."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.contract.servers.history import MAPS
from tests.contract.servers.several import Servers, several_servers

from cybernetes.base.errors import ApiError
from cybernetes.client.answer import whole_body
from cybernetes.client.target import SECRETS
from cybernetes.wire.grpc import kms_v2_pb2 as messages
from cybernetes.wire.grpc import kms_v2_pb2_grpc as stubs

PLAIN = b"correct-horse-battery"
# As a ConfigMap has it, and as a Secret does.
WRITTEN = (PLAIN, base64.b64encode(PLAIN))
CIPHER = bytes.maketrans(bytes(range(256)), bytes(range(255, -1, -1)))
KMS = "- kms: {apiVersion: v2, name: vault, endpoint: 'unix://%s'}"
SECRETBOX = "- secretbox: {keys: [{name: k1, secret: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}]}"


class KeyService(stubs.KeyManagementServiceServicer):
    def Status(self, request: Any, context: Any) -> Any:
        return messages.StatusResponse(version="v2", healthz="ok", key_id="1")

    def Encrypt(self, request: Any, context: Any) -> Any:
        return messages.EncryptResponse(ciphertext=request.plaintext.translate(CIPHER), key_id="1")

    def Decrypt(self, request: Any, context: Any) -> Any:
        return messages.DecryptResponse(plaintext=request.ciphertext.translate(CIPHER))


@contextmanager
def key_service(socket: Path) -> Iterator[None]:
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        stubs.add_KeyManagementServiceServicer_to_server(KeyService(), server)
        server.add_insecure_port(f"unix://{socket}")
        server.start()
        try:
            yield
        finally:
            server.stop(None)


def configuration(*providers: str) -> str:
    entry = "\n".join(("- resources: [secrets, configmaps]", "  providers:", *(f"  {each}" for each in providers)))
    return f"apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n{entry}\n"


def on_disk(folder: Path, *texts: bytes) -> bool:
    found = [each for part in ("cluster/store", "etcd") for each in (folder / part).rglob("*") if each.is_file()]
    assert found
    return any(text in content for content in map(_content, found) for text in texts)


def _content(file: Path) -> bytes:
    """Stores remove files of theirs at any time."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 -- the server is looked at, as anybody would
            await asyncio.sleep(0.1)


async def get(servers: Servers, path: str) -> tuple[int, bytes]:
    client = servers.client()
    try:
        return 200, await whole_body(await client.raw("GET", path))
    except ApiError as refusal:
        return refusal.code, b""
    finally:
        await client.close()


async def write(servers: Servers, name: str) -> None:
    client = servers.client()
    try:
        for target in (SECRETS, MAPS):
            obj = {"metadata": {"name": name, "namespace": "default"}}
            data = {"stringData" if target is SECRETS else "data": {"word": PLAIN.decode()}}
            await client.apply(target, {**obj, **data}, field_manager="test")
    finally:
        await client.close()


async def reads(servers: Servers, name: str) -> bool:
    client = servers.client()
    try:
        found = await client.get(MAPS, name, namespace="default")
        secret = await client.get(SECRETS, name, namespace="default")
        return found["data"]["word"] == PLAIN.decode() and bool(secret["data"]["word"])
    finally:
        await client.close()


@pytest.mark.parametrize("store", ["sqlite", "etcd"])
def test_no_secret_is_on_the_disk_of_a_cluster_with_a_key_service(tmp_path: Path, store: str) -> None:
    socket, file = tmp_path / "kms.sock", tmp_path / "encryption.yaml"
    file.write_text(configuration(KMS % socket, "- identity: {}"))

    async def rewritten() -> bool:
        _, metrics = await get(servers, "/metrics")
        return b'automatic_reloads_total{status="success"} 1.0' in metrics and b"rewriting 0.0" in metrics

    async def scenario() -> None:
        await write(servers, "before")
        assert await get(servers, "/readyz/kms-providers") == (200, b"ok")
        assert await get(servers, "/healthz/kms-providers") == (200, b"ok")
        assert (await get(servers, "/livez/kms-providers"))[0] == 404
        assert on_disk(tmp_path, b"k8s:enc:kms:v2:vault:") and not on_disk(tmp_path, *WRITTEN)

        restarts = servers.processes()["apiserver"].restarts
        servers.kill("apiserver")
        await asyncio.to_thread(servers.wait_back, "apiserver", restarts)
        assert await reads(servers, "before"), "the next process has the service open what was sealed"

        file.write_text(configuration(SECRETBOX, KMS % socket))
        await until(rewritten)
        await write(servers, "after")
        assert await reads(servers, "before") and await reads(servers, "after")
        assert on_disk(tmp_path, b"k8s:enc:secretbox:v1:k1:") and not on_disk(tmp_path, *WRITTEN)

    with (
        key_service(socket),
        several_servers(tmp_path, store, count=1, arguments={"encryption-provider-config": str(file)}) as servers,
    ):
        asyncio.run(scenario())
