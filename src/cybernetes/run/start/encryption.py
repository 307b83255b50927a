"""Encryption of the API server's store: set up from files, changed when they change, values sealed again then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import Counter, Gauge
from prometheus_client.registry import Collector

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.run import files
from cybernetes.run.start import Setting
from cybernetes.store.api import Store
from cybernetes.store.encryption.build import Built, build, without_configuration
from cybernetes.store.encryption.config import ConfigError, Kms, parse
from cybernetes.store.encryption.kms import GrpcService, KmsEnvelope
from cybernetes.store.envelope import AesGcm, parse_keys
from cybernetes.store.sealing import SealedStore

log = Log("apiserver.encryption")

# How often the files are looked at. Reading two small files costs nothing that counts.
LOOK_S = 2.0


class Numbers(Collector):
    """Under upstream's names; stale is ours: values that the rules would seal differently are being written again."""

    def __init__(self) -> None:
        prefix = "apiserver_encryption_config_controller"
        self.info = Gauge(f"{prefix}_last_config_info", "Configuration in use", ("hash",), registry=None)
        self.reloads = Counter(f"{prefix}_automatic_reloads", "Reloads", ("status",), registry=None)
        self.stale = Gauge("cybernetes_encryption_rewriting", "1 while values are sealed again", registry=None)

    def collect(self) -> Iterator[Any]:
        for each in (self.info, self.reloads, self.stale):
            yield from each.collect()


class Sources(msgspec.Struct, frozen=True):
    """The contents of the two files; configuration is b"" when there is none."""

    keys: bytes
    configuration: bytes

    @property
    def fingerprint(self) -> str:
        return files.fingerprint(self.keys, self.configuration)


class Encryption:
    """`open` once, then `run` beside the server."""

    def __init__(self, setting: Setting, clock: Clock, random: Random) -> None:
        args = setting.config.api_server.extra_args
        self._keys = files.envelope_key(setting.layout)
        self._configuration = Path(args.encryption_provider_config) if args.encryption_provider_config else None
        self._reloads = args.encryption_provider_config_automatic_reload
        self._clock = clock
        self._random = random
        self.numbers = Numbers()
        self._store: SealedStore | None = None
        self._sources = Sources(b"", b"")
        self._stale = False
        self._built = Built(without_configuration(AesGcm([bytes(32)], random)).rules)

    async def open(self, inner: Store) -> SealedStore:
        """Raises EdgeError when a file can't be used, or a key service is not well."""
        self._sources = self._read()
        self._built = await self._build(self._sources)
        self._store = SealedStore(inner, self._built.rules)
        return self._store

    @property
    def configured(self) -> bool:
        return self._configuration is not None

    def check(self) -> str:
        """For /readyz: what is wrong with a key service; "" when nothing is."""
        return "; ".join(each.sick() for each in self._built.services if each.sick())

    async def run(self) -> None:
        while True:
            built = self._built
            async with asyncio.TaskGroup() as group:
                watching = [group.create_task(each.run(), name=f"kms.{each.config.name}") for each in built.services]
                await self._seal_again()
                await self._changed()
                for each in watching:
                    each.cancel()
            for service in built.services:
                await service.close()

    async def _seal_again(self) -> None:
        assert self._store is not None
        self.numbers.stale.set(1)
        try:
            count = await self._store.seal_again()
            if count:
                log.info("encryption.sealed_again", values=count)
            self._stale = False
            self.numbers.stale.set(0)
        except EdgeError as error:
            self._stale = True
            log.error("encryption.not_sealed_again", error)
        self.numbers.info.clear()
        self.numbers.info.labels(self._sources.fingerprint).set(1)

    async def _changed(self) -> None:
        """Return once other files are in use."""
        assert self._store is not None
        refused, sealed_with = self._sources, self._key_ids()
        while True:
            await self._clock.sleep(LOOK_S)
            if self._stale or self._key_ids() != sealed_with:
                sealed_with = self._key_ids()
                await self._seal_again()
            try:
                found = self._read()
                if found == self._sources or found == refused or not self._reloads:
                    continue
                refused = found
                built = await self._build(found)
            except EdgeError as error:
                # What is in use goes on: a file that is half written must not make Secrets unreadable.
                log.error("encryption.not_changed", error)
                self.numbers.reloads.labels("failure").inc()
                continue
            self._built, self._sources = built, found
            self._store.change(built.rules)
            self.numbers.reloads.labels("success").inc()
            log.info("encryption.changed")
            return

    def _key_ids(self) -> tuple[str, ...]:
        """Keys of services; another one means that what is stored is sealed with a former one."""
        return tuple(each.key_id for each in self._built.services)

    def _read(self) -> Sources:
        try:
            return Sources(
                self._keys.read_bytes(), self._configuration.read_bytes() if self._configuration is not None else b""
            )
        except OSError as missing:
            raise _unusable(str(missing.filename), str(missing)) from missing

    async def _build(self, sources: Sources) -> Built:
        try:
            own = AesGcm(parse_keys(sources.keys.decode()), self._random)
        except ValueError as wrong:
            raise _unusable(str(self._keys), str(wrong)) from wrong
        if self._configuration is None:
            return without_configuration(own)
        try:
            built = build(parse(sources.configuration), own, self._random, self._connect)
        except ConfigError as wrong:
            raise _unusable(str(self._configuration), str(wrong)) from wrong
        for each in built.services:
            await each.start()
        return built

    def _connect(self, kms: Kms) -> KmsEnvelope:
        return KmsEnvelope(kms, GrpcService(kms.socket, kms.timeout_s), self._clock, self._random)


def _unusable(what: str, why: str) -> EdgeError:
    return EdgeError("read", what, why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
