"""Values sealed with the help of a key service: a real one, on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SystemRandom
from cybernetes.store.api import Put
from cybernetes.store.encryption.build import build
from cybernetes.store.encryption.config import parse
from cybernetes.store.encryption.kms import TRUSTED_S, GrpcService, KmsEnvelope
from cybernetes.store.envelope import AesGcm
from cybernetes.store.memory import MemoryStore
from cybernetes.store.sealing import SealedStore
from cybernetes.wire.grpc import kms_v2_pb2 as messages
from cybernetes.wire.grpc import kms_v2_pb2_grpc as stubs

RANDOM = SystemRandom()
SECRET = b"v1 Secret\n{correct horse battery staple}"


class KeyService(stubs.KeyManagementServiceServicer):
    """Turns bytes over; `key_id` is its key's name."""

    def __init__(self) -> None:
        self.key_id, self.health = "1", "ok"
        self.encrypted = self.decrypted = 0

    async def Status(self, request, context):
        return messages.StatusResponse(version="v2", healthz=self.health, key_id=self.key_id)

    async def Encrypt(self, request, context):
        self.encrypted += 1
        return messages.EncryptResponse(
            ciphertext=request.plaintext[::-1], key_id=self.key_id, annotations={"made.by": b"test"}
        )

    async def Decrypt(self, request, context):
        self.decrypted += 1
        assert request.annotations == {"made.by": b"test"} and request.uid
        return messages.DecryptResponse(plaintext=request.ciphertext[::-1])


@asynccontextmanager
async def key_service(folder: Path) -> AsyncIterator[tuple[KeyService, str]]:
    server, service = grpc.aio.server(), KeyService()
    stubs.add_KeyManagementServiceServicer_to_server(service, server)
    socket = folder / "kms.sock"
    server.add_insecure_port(f"unix://{socket}")
    await server.start()
    try:
        yield service, f"unix://{socket}"
    finally:
        await server.stop(None)


class Later:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return self.ahead


async def opened(inner: MemoryStore, endpoint: str, clock=None) -> tuple[SealedStore, KmsEnvelope]:
    text = f"""
        apiVersion: apiserver.config.k8s.io/v1
        kind: EncryptionConfiguration
        resources:
        - resources: [secrets, configmaps]
          providers: [{{kms: {{apiVersion: v2, name: vault, endpoint: "{endpoint}"}}}}, {{identity: {{}}}}]
    """

    def connect(kms):
        return KmsEnvelope(kms, GrpcService(kms.socket, kms.timeout_s), clock or Later(), RANDOM)

    built = build(parse(text.encode()), AesGcm([bytes(32)], RANDOM), RANDOM, connect)
    (envelope,) = built.services
    await envelope.start()
    return SealedStore(inner, built.rules), envelope


def test_values_are_sealed_and_read_back_also_by_the_next_process(tmp_path):
    async def main() -> None:
        inner = MemoryStore(SystemClock())
        async with key_service(tmp_path) as (service, endpoint):
            store, envelope = await opened(inner, endpoint)
            for n in range(20):
                await store.txn([], [Put(f"/core/secrets/a/{n}", SECRET)])
            raw = (await inner.get("/core/secrets/a/1")).value
            assert raw.startswith(b"k8s:enc:kms:v2:vault:") and b"correct horse" not in raw
            assert service.encrypted == 1, "the service is asked for a seed, not for every value"
            await envelope.close()
            again, envelope = await opened(inner, endpoint)
            found = await again.range("/core/secrets/")
            assert {entry.value for entry in found.entries} == {SECRET}
            assert service.decrypted == 1
            batch = await anext(again.watch("/core/secrets/", 0))
            assert batch.events[0].value == SECRET
            await envelope.close()

    asyncio.run(main())


def test_another_key_of_the_service_is_taken_up_and_values_are_sealed_again(tmp_path):
    async def main() -> None:
        inner = MemoryStore(SystemClock())
        async with key_service(tmp_path) as (service, endpoint):
            store, envelope = await opened(inner, endpoint)
            await store.txn([], [Put("/core/secrets/a/b", SECRET)])
            assert await store.seal_again() == 0
            service.key_id = "2"
            await envelope.start()
            assert await store.seal_again() == 1
            assert b"\x12\x012" in (await inner.get("/core/secrets/a/b")).value
            assert (await store.get("/core/secrets/a/b")).value == SECRET
            await envelope.close()

    asyncio.run(main())


def test_a_service_that_is_not_well_is_told_of_and_after_a_while_nothing_is_sealed_any_more(tmp_path):
    async def main() -> None:
        clock = Later()
        async with key_service(tmp_path) as (service, endpoint):
            store, envelope = await opened(MemoryStore(SystemClock()), endpoint, clock)
            assert envelope.sick() == ""
            service.health = "its disk is full"
            with pytest.raises(EdgeError, match="disk is full"):
                await envelope.start()
            assert "disk is full" in envelope.sick()
            await store.txn([], [Put("/core/secrets/a/b", SECRET)])
            clock.ahead += TRUSTED_S + 1
            with pytest.raises(EdgeError, match="can't be sealed"):
                await store.txn([], [Put("/core/secrets/a/b", SECRET)])
            assert (await store.get("/core/secrets/a/b")).value == SECRET
            service.health = "ok"
            await envelope.start()
            await store.txn([], [Put("/core/secrets/a/b", SECRET)])
            await envelope.close()

    asyncio.run(main())


def test_a_service_that_is_not_there_is_an_error_of_the_world(tmp_path):
    async def main() -> None:
        with pytest.raises(EdgeError, match="UNAVAILABLE"):
            await opened(MemoryStore(SystemClock()), f"unix://{tmp_path}/none.sock")

    asyncio.run(main())


def test_a_value_that_was_changed_or_moved_does_not_open(tmp_path):
    async def main() -> None:
        inner = MemoryStore(SystemClock())
        async with key_service(tmp_path) as (_, endpoint):
            store, envelope = await opened(inner, endpoint)
            await store.txn([], [Put("/core/secrets/a/b", SECRET)])
            raw = (await inner.get("/core/secrets/a/b")).value
            await inner.txn([], [Put("/core/secrets/a/c", raw)])
            with pytest.raises(EdgeError, match="another path"):
                await store.get("/core/secrets/a/c")
            await inner.txn([], [Put("/core/secrets/a/c", raw[:30])])
            with pytest.raises(EdgeError):
                await store.get("/core/secrets/a/c")
            await envelope.close()

    asyncio.run(main())
