"""What only etcd brings: members that go away, certificates, responses in fragments, other users."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from etcd_process import EtcdProcess
from test_store_watches import take

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.store.api import Put
from cybernetes.store.etcd import calls
from cybernetes.store.etcd.calls import Tls
from cybernetes.store.etcd.convert import Keys
from cybernetes.store.etcd.store import EtcdStore, progress_on_request


def test_responses_in_fragments_become_whole_revisions(etcd_endpoint: str):
    async def main() -> None:
        store = await EtcdStore.open([etcd_endpoint], clock=SystemClock(), root="/fragments")
        start = await store.revision()
        for n in range(60):
            await store.txn([], [Put(f"/{n}/{part}", bytes([part]) * 30_000) for part in range(4)])
        batches = await take(store.watch("/", start), 60)
        assert [batch.revision for batch in batches] == list(range(start + 1, start + 61))
        assert {len(batch.events) for batch in batches} == {4}
        await store.close()

    asyncio.run(main())


def test_two_roots_do_not_see_each_other(etcd_endpoint: str):
    async def main() -> None:
        one = await EtcdStore.open([etcd_endpoint], clock=SystemClock(), root="/one")
        two = await EtcdStore.open([etcd_endpoint], clock=SystemClock(), root="/two")
        start = await one.revision()
        await one.txn([], [Put("/a", b"1")])
        await two.txn([], [Put("/a", b"2")])
        for store, value in ((one, b"1"), (two, b"2")):
            entry = await store.get("/a")
            assert entry is not None and (entry.key, entry.value) == ("/a", value)
            found = await store.range("")
            assert [each.key for each in found.entries] == ["/a"]
            (batch,) = await take(store.watch("", start), 1)
            assert [event.value for event in batch.events] == [value]
        await one.close()
        await two.close()

    asyncio.run(main())


def test_a_server_that_compacts_after_another_did_finds_it_done(etcd_endpoint: str):
    async def main() -> None:
        one = await EtcdStore.open([etcd_endpoint], clock=SystemClock())
        two = await EtcdStore.open([etcd_endpoint], clock=SystemClock())
        revision = await one.txn([], [Put("/a", b"1")])
        await one.compact(revision)
        await two.compact(revision)
        await one.close()
        await two.close()

    asyncio.run(main())


def test_an_unanswered_write_may_have_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def main() -> None:
        store = await EtcdStore.open([server.endpoint], clock=SystemClock())
        await store.txn([], [Put("/a", b"1")])
        monkeypatch.setattr(calls, "CALL_TIMEOUT_S", 0.5)
        server.pause()
        try:
            with pytest.raises(EdgeError) as caught:
                await store.txn([], [Put("/a", b"2")])
            assert caught.value.outcome is Outcome.UNKNOWN
            with pytest.raises(EdgeError) as caught:
                await store.get("/a")
            assert caught.value.outcome is Outcome.NOT_DONE
        finally:
            server.resume()
        await store.close()

    server = EtcdProcess(tmp_path)
    try:
        asyncio.run(main())
    finally:
        server.stop()


def test_a_watch_goes_on_after_the_server_was_away(tmp_path: Path):
    async def main() -> None:
        store = await EtcdStore.open([server.endpoint], clock=SystemClock())
        watch = store.watch("/", await store.revision())
        first = await store.txn([], [Put("/a", b"1")])
        assert [batch.revision for batch in await take(watch, 1)] == [first]
        waiting = asyncio.create_task(take(watch, 2))
        server.stop()
        await asyncio.sleep(0.1)
        server.start()
        second = await write_when_back(store, Put("/a", b"2"))
        third = await write_when_back(store, Put("/a", b"3"))
        events = [event for batch in await waiting for event in batch.events]
        assert [(event.revision, event.value, event.previous) for event in events] == [
            (second, b"2", b"1"),
            (third, b"3", b"2"),
        ]
        await store.close()

    server = EtcdProcess(tmp_path)
    try:
        asyncio.run(asyncio.wait_for(main(), 60))
    finally:
        server.stop()


async def write_when_back(store: EtcdStore, write: Put) -> int:
    for _ in range(600):
        try:
            return await store.txn([], [write])
        except EdgeError:
            await asyncio.sleep(0.1)
    raise AssertionError("the server did not come back")


def test_the_cluster_is_reached_with_client_certificates_only(tmp_path: Path):
    tls = make_certificates(tmp_path)

    async def main() -> None:
        store = await EtcdStore.open([server.endpoint], clock=SystemClock(), tls=tls)
        revision = await store.txn([], [Put("/a", b"1")])
        assert (await take(store.watch("/", revision - 1), 1))[0].revision == revision
        await store.close()
        with pytest.raises(EdgeError):
            await EtcdStore.open([server.endpoint], clock=SystemClock(), tls=Tls(tls.ca))

    arguments = ["--client-cert-auth", "--trusted-ca-file", str(tmp_path / "ca.pem")]
    arguments += ["--cert-file", str(tmp_path / "node.pem"), "--key-file", str(tmp_path / "node.key")]
    server = EtcdProcess(tmp_path, *arguments)
    try:
        asyncio.run(main())
    finally:
        server.stop()


def make_certificates(folder: Path) -> Tls:
    """An authority, and one certificate that serves as server's and client's."""
    now = datetime.datetime.now(datetime.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "node")}
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
    for name, key in keys.items():
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
        )
        if name == "node":
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        certificate = builder.sign(keys["ca"], hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.key").write_bytes(pem)
    return Tls((folder / "ca.pem").read_bytes(), (folder / "node.pem").read_bytes(), (folder / "node.key").read_bytes())


def test_an_address_where_nobody_listens_is_an_edge_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calls, "CALL_TIMEOUT_S", 0.5)
    with pytest.raises(EdgeError, match=r"check etcd at 127\.0\.0\.1:1"):
        asyncio.run(EtcdStore.open(["127.0.0.1:1"], clock=SystemClock()))


@pytest.mark.parametrize(
    ("version", "ordered"),
    [("3.4.23", False), ("3.4.25", True), ("3.5.7", False), ("3.5.21", True), ("3.6.0-rc.1", True), ("4.0.0", True)],
)
def test_progress_is_only_asked_of_servers_that_answer_in_order(version: str, ordered: bool):
    assert progress_on_request(version) is ordered


@pytest.mark.parametrize(
    ("root", "prefix", "start", "bounds"),
    [
        ("", "", "", (b"\0", b"\0")),
        ("", "/pods/", "", (b"/pods/", b"/pods0")),
        ("", "/pods/", "/pods/b\0", (b"/pods/b\0", b"/pods0")),
        ("/c", "", "", (b"/c", b"/d")),
        ("/c", "/pods/", "/pods/x", (b"/c/pods/x", b"/c/pods0")),
    ],
)
def test_bounds_of_a_prefix(root: str, prefix: str, start: str, bounds: tuple[bytes, bytes]):
    assert Keys(root).bounds(prefix, start) == bounds


@pytest.fixture(autouse=True)
def quiet_grpc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    yield


def test_no_plain_secret_is_in_any_file_of_etcd(tmp_path: Path):
    from cybernetes.base.random import SystemRandom
    from cybernetes.store.envelope import AesGcm
    from cybernetes.store.sealing import SealedStore, fixed

    async def main(endpoint: str) -> None:
        inner = await EtcdStore.open([endpoint], clock=SystemClock(), root="/sealed")
        store = SealedStore(inner, fixed({"secrets": AesGcm([bytes(32)], SystemRandom())}))
        value = b"v1 Secret\n{correct horse battery staple}"
        await store.txn([], [Put("/core/secrets/shop/db", value), Put("/core/configmaps/shop/db", b"in the open")])
        assert (await store.get("/core/secrets/shop/db")).value == value
        await store.close()

    process = EtcdProcess(tmp_path)
    try:
        asyncio.run(main(process.endpoint))
    finally:
        process.stop()
    written = b"".join(each.read_bytes() for each in (tmp_path / "data").rglob("*") if each.is_file())
    assert b"in the open" in written
    assert b"correct horse" not in written
