"""Files of encryption that change while the API server runs."""

import asyncio
from base64 import b64encode

import msgspec

from cybernetes.base.random import SystemRandom
from cybernetes.run import files
from cybernetes.run.apiserver_args import ApiServerArgs
from cybernetes.run.config import ApiServerConfig, ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.start import Setting
from cybernetes.run.start.encryption import Encryption
from cybernetes.store.api import Put
from cybernetes.store.memory import MemoryStore

KEY = "/core/secrets/a/b"
CONFIGURATION = """
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources: [{resources: [configmaps], providers: [{aesgcm: {keys: [{name: k, secret: AAAAAAAAAAAAAAAAAAAAAA==}]}}, {identity: {}}]}]
"""


class Hurried:
    """Time goes by when the loop has nothing else to do."""

    def monotonic(self):
        return 0.0

    def now(self):
        return 0.0

    async def sleep(self, seconds):
        for _ in range(20):
            await asyncio.sleep(0)


def own_keys(*keys: int) -> bytes:
    return b"".join(b64encode(bytes([key]) * 32) + b"\n" for key in keys)


def setting(folder, **args) -> Setting:
    layout = Layout(folder)
    layout.pki.mkdir()
    files.envelope_key(layout).write_bytes(own_keys(1))
    config = ClusterConfig(api_server=ApiServerConfig(extra_args=ApiServerArgs(**args)))
    return Setting(config, layout)


def scenario(start: Setting, act) -> None:
    async def go():
        inner = MemoryStore(Hurried())
        encryption = Encryption(start, Hurried(), SystemRandom())
        store = await encryption.open(inner)
        await store.txn([], [Put(KEY, b"secret"), Put("/core/configmaps/a/b", b"open")])
        task = asyncio.create_task(encryption.run())
        try:
            async with asyncio.timeout(60):
                await act(inner, store, encryption)
        finally:
            task.cancel()
            await asyncio.wait((task,))

    asyncio.run(go())


def number(encryption: Encryption, name: str, **labels: str) -> float:
    samples = [s for metric in encryption.numbers.collect() for s in metric.samples if s.name == name]
    return sum(s.value for s in samples if s.labels == labels)


async def in_use(encryption: Encryption, *contents: bytes) -> None:
    name = "apiserver_encryption_config_controller_last_config_info"
    while not number(encryption, name, hash=files.fingerprint(*contents)):  # noqa: ASYNC110
        await asyncio.sleep(0)


def test_a_new_first_key_is_taken_up_and_everything_sealed_again(tmp_path):
    start = setting(tmp_path)

    async def act(inner, store, encryption):
        before = (await inner.get(KEY)).value
        files.envelope_key(start.layout).write_bytes(own_keys(2, 1))
        await in_use(encryption, own_keys(2, 1), b"")
        after = (await inner.get(KEY)).value
        assert before[:13] != after[:13] and (await store.get(KEY)).value == b"secret"
        files.envelope_key(start.layout).write_bytes(own_keys(2))
        await in_use(encryption, own_keys(2), b"")
        assert (await store.get(KEY)).value == b"secret"

    scenario(start, act)


def test_a_file_that_is_half_written_changes_nothing(tmp_path):
    start = setting(tmp_path)

    async def act(inner, store, encryption):
        files.envelope_key(start.layout).write_bytes(b"half")
        name = "apiserver_encryption_config_controller_automatic_reloads_total"
        while not number(encryption, name, status="failure"):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert (await store.get(KEY)).value == b"secret"
        await store.txn([], [Put(KEY, b"more")])
        assert b"more" not in (await inner.get(KEY)).value

    scenario(start, act)


def test_resources_that_a_new_configuration_names_are_sealed(tmp_path):
    path = tmp_path / "encryption.yaml"
    path.write_text(CONFIGURATION.replace("configmaps", "leases.coordination.k8s.io"))
    start = setting(tmp_path, encryption_provider_config=str(path))

    async def act(inner, store, encryption):
        assert (await inner.get("/core/configmaps/a/b")).value == b"open"
        path.write_text(CONFIGURATION)
        await in_use(encryption, own_keys(1), CONFIGURATION.encode())
        assert (await inner.get("/core/configmaps/a/b")).value.startswith(b"k8s:enc:aesgcm:v1:k:")
        assert (await store.get("/core/configmaps/a/b")).value == b"open"
        assert b"secret" not in (await inner.get(KEY)).value

    scenario(start, act)


def test_without_automatic_reload_the_file_is_read_once(tmp_path):
    start = setting(tmp_path, encryption_provider_config_automatic_reload=False)

    async def act(inner, store, encryption):
        await in_use(encryption, own_keys(1), b"")
        files.envelope_key(start.layout).write_bytes(own_keys(2, 1))
        for _ in range(200):
            await asyncio.sleep(0)
        await in_use(encryption, own_keys(1), b"")

    scenario(start, act)


def test_another_key_of_a_service_seals_everything_again(tmp_path):
    start = setting(tmp_path)

    class Service:
        config = type("Config", (), {"name": "k"})()
        key_id = "1"

        async def run(self):
            await asyncio.Event().wait()

        async def close(self):
            return None

        def sick(self):
            return ""

    async def act(inner, store, encryption):
        service = Service()
        encryption._built = msgspec.structs.replace(encryption._built, services=(service,))
        await in_use(encryption, own_keys(1), b"")
        plain = await inner.get("/core/configmaps/a/b")
        assert plain.value == b"open"
        await inner.txn([], [Put(KEY, b"left plain by a former key")])
        service.key_id = "2"
        async with asyncio.timeout(60):
            while (await inner.get(KEY)).value == b"left plain by a former key":  # noqa: ASYNC110
                await asyncio.sleep(0)

    scenario(start, act)


def test_flags_have_kube_apiservers_names():
    args = ApiServerArgs(audit_log_maxage=7)
    assert msgspec.to_builtins(args)["audit-log-maxage"] == 7
