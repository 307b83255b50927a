"""Values sealed with keys that a key service keeps: KMS v2 over a Unix socket.

A seed is made here, the service encrypts it once, and every value has a key of its own, derived from the seed. The service
is asked for its state each minute: another key of its own, and a new seed is made. A seed that this process doesn't
know is given to the service to decrypt, and kept.

source  Kubernetes documentation "Using a KMS provider for data encryption", KMS v2; KEP-3299
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol

import grpc
import grpc.aio
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from google.protobuf.message import DecodeError

from cybernetes.base import random as randoms
from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.store.encryption.config import Kms
from cybernetes.store.envelope import unreadable

log = Log("store.kms")

POLL_S = 60.0
POLL_SICK_S = 10.0
# How long after the service was well for the last time new values may be sealed with the seed that it protects.
TRUSTED_S = 180.0
SEED_BYTES = 32
INFO_BYTES = 32
KEY_ID_MAX = 1024
# Seeds are made when a server starts and when the service changes its key.
SEEDS_MAX = 1000
_NONCE = 12
# HKDF_SHA256_XNONCE_AES_GCM_SEED: how Kubernetes calls values of keys derived from a seed.
_SEED_TYPE = 1


class Service(Protocol):
    """The calls of v2.KeyManagementService, as values. Each raises EdgeError."""

    async def status(self) -> tuple[str, str, str]:
        """(version, health, key id)."""
        ...

    async def encrypt(self, plain: bytes, uid: str) -> Protected: ...

    async def decrypt(self, protected: Protected, uid: str) -> bytes: ...

    async def close(self) -> None: ...


class Protected(msgspec.Struct, frozen=True):
    """A seed as the service encrypted it."""

    ciphertext: bytes
    key_id: str
    annotations: dict[str, bytes] = {}


class Sealing(msgspec.Struct, frozen=True):
    """What new values are sealed with. until: on the monotonic clock."""

    seed: bytes
    protected: Protected
    until: float


class GrpcService:
    def __init__(self, socket: str, timeout_s: float) -> None:
        from cybernetes.wire.grpc import kms_v2_pb2, kms_v2_pb2_grpc

        abstract = socket.startswith("/@")
        target = f"unix-abstract:{socket[2:]}" if abstract else f"unix://{socket}"
        self._messages: Any = kms_v2_pb2
        self._channel = grpc.aio.insecure_channel(target)
        self._stub: Any = kms_v2_pb2_grpc.KeyManagementServiceStub(self._channel)
        self._target = target
        self._timeout_s = timeout_s

    async def status(self) -> tuple[str, str, str]:
        answer = await self._call(self._stub.Status, self._messages.StatusRequest(), "ask state of")
        return answer.version, answer.healthz, answer.key_id

    async def encrypt(self, plain: bytes, uid: str) -> Protected:
        request = self._messages.EncryptRequest(plaintext=plain, uid=uid)
        answer = await self._call(self._stub.Encrypt, request, "encrypt with")
        return Protected(answer.ciphertext, answer.key_id, dict(answer.annotations))

    async def decrypt(self, protected: Protected, uid: str) -> bytes:
        request = self._messages.DecryptRequest(
            ciphertext=protected.ciphertext, uid=uid, key_id=protected.key_id, annotations=protected.annotations
        )
        answer = await self._call(self._stub.Decrypt, request, "decrypt with")
        return bytes(answer.plaintext)

    async def close(self) -> None:
        await self._channel.close()

    async def _call(self, method: Any, request: Any, what: str) -> Any:
        try:
            return await method(request, timeout=self._timeout_s)
        except grpc.aio.AioRpcError as failed:
            why = f"{failed.code().name}: {failed.details()}"
            raise EdgeError(what, self._target, why, outcome=Outcome.NOT_DONE, retry=Retry.LATER) from failed


class KmsEnvelope:
    """`start` before it is used, `run` beside it."""

    def __init__(self, config: Kms, service: Service, clock: Clock, random: Random) -> None:
        self.config = config
        self.prefix = f"k8s:enc:kms:v2:{config.name}:".encode()
        self._service = service
        self._clock = clock
        self._random = random
        self._sealing: Sealing | None = None
        # Encrypted seed -> seed.
        self._seeds: OrderedDict[bytes, bytes] = OrderedDict()
        self._sick = "it was not asked yet"

    def sick(self) -> str:
        """What is wrong with the service; "" when nothing is."""
        return self._sick

    @property
    def key_id(self) -> str:
        """The service's key that new values are sealed with; "" while there is none."""
        return self._sealing.protected.key_id if self._sealing is not None else ""

    async def start(self) -> None:
        """Raises EdgeError when the service is not well: nothing could be sealed."""
        await self._look()

    async def run(self) -> None:
        while True:
            await self._clock.sleep(POLL_SICK_S if self._sick else POLL_S)
            try:
                await self._look()
            except EdgeError as error:
                log.warning("kms.sick", name=self.config.name, why=error.message)

    async def close(self) -> None:
        await self._service.close()

    async def _look(self) -> None:
        try:
            version, health, key_id = await self._service.status()
            self._check(version, health, key_id)
            await self._keep_sealing(key_id)
            self._sick = ""
        except EdgeError as error:
            self._sick = error.message
            raise

    def _check(self, version: str, health: str, key_id: str) -> None:
        if version not in ("v2", "v2beta1"):
            raise self._unwell(f'it speaks version "{version}"')
        if health != "ok":
            raise self._unwell(f'it says "{health}"')
        if not 0 < len(key_id.encode()) <= KEY_ID_MAX:
            raise self._unwell("its key has no name of an allowed length")

    async def _keep_sealing(self, key_id: str) -> None:
        until = self._clock.monotonic() + TRUSTED_S
        if self._sealing is not None and self._sealing.protected.key_id == key_id:
            self._sealing = msgspec.structs.replace(self._sealing, until=until)
            return
        seed = self._random.token(SEED_BYTES)
        protected = await self._service.encrypt(seed, randoms.uid(self._random))
        if protected.key_id != key_id:
            raise self._unwell("it encrypted with another key than it named")
        self._remember(protected.ciphertext, seed)
        self._sealing = Sealing(seed, protected, until)
        log.info("kms.key_taken", name=self.config.name)

    def _unwell(self, why: str) -> EdgeError:
        return EdgeError("use key service", self.config.name, why, outcome=Outcome.NOT_DONE, retry=Retry.LATER)

    def _remember(self, ciphertext: bytes, seed: bytes) -> None:
        self._seeds[ciphertext] = seed
        if len(self._seeds) > SEEDS_MAX:
            self._seeds.popitem(last=False)

    def seal(self, key: str, value: bytes) -> bytes:
        from cybernetes.wire.grpc import kms_v2_pb2

        sealing = self._sealing
        if sealing is None or self._clock.monotonic() > sealing.until:
            raise self._unwell(f"values can't be sealed: {self._sick}")
        info, nonce = self._random.token(INFO_BYTES), self._random.token(_NONCE)
        data = info + nonce + _cipher(sealing.seed, info).encrypt(nonce, value, key.encode())
        message = kms_v2_pb2.EncryptedObject(
            encryptedData=data,
            keyID=sealing.protected.key_id,
            encryptedDEKSource=sealing.protected.ciphertext,
            annotations=sealing.protected.annotations,
            encryptedDEKSourceType=_SEED_TYPE,
        )
        return self.prefix + message.SerializeToString()

    def open(self, key: str, sealed: bytes) -> bytes:
        message = self._message(key, sealed)
        seed = self._seeds.get(message.encryptedDEKSource)
        if seed is None:
            raise unreadable(key, "its key was not fetched")
        data = message.encryptedData
        info, nonce, rest = data[:INFO_BYTES], data[INFO_BYTES : INFO_BYTES + _NONCE], data[INFO_BYTES + _NONCE :]
        try:
            return _cipher(seed, info).decrypt(nonce, rest, key.encode())
        except (InvalidTag, ValueError) as wrong:
            raise unreadable(key, "it was changed on disk, or belongs to another path") from wrong

    def is_current(self, sealed: bytes) -> bool:
        if not sealed.startswith(self.prefix) or self._sealing is None:
            return False
        return bool(self._message("", sealed).keyID == self._sealing.protected.key_id)

    def lacks(self, sealed: bytes) -> bool:
        return self._message("", sealed).encryptedDEKSource not in self._seeds

    async def prepare(self, sealed: bytes) -> None:
        message = self._message("", sealed)
        protected = Protected(message.encryptedDEKSource, message.keyID, dict(message.annotations))
        self._remember(protected.ciphertext, await self._service.decrypt(protected, randoms.uid(self._random)))

    def _message(self, key: str, sealed: bytes) -> Any:
        from cybernetes.wire.grpc import kms_v2_pb2

        try:
            message = kms_v2_pb2.EncryptedObject.FromString(sealed[len(self.prefix) :])
        except DecodeError as wrong:
            raise unreadable(key, "it was changed on disk") from wrong
        if message.encryptedDEKSourceType != _SEED_TYPE:
            raise unreadable(key, "its key is of a kind that is not known here")
        return message


def _cipher(seed: bytes, info: bytes) -> AESGCM:
    return AESGCM(HKDFExpand(SHA256(), SEED_BYTES, info).derive(seed))
