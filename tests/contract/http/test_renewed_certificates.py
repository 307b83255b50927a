"""Certificates and authorities that are replaced while a server runs."""

import asyncio
import ssl

import pytest

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SystemRandom
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.renewed import RenewedTls
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import client_context

RANDOM = SystemRandom()


def terms() -> pki.Terms:
    return pki.Terms(SystemClock().now(), RANDOM)


def serving(authority: pki.Credential, name: str) -> pki.Credential:
    return pki.serving(authority, name, terms(), names=("localhost",), addresses=("127.0.0.1",))


async def who(request: Request) -> Response:
    return Response(200, [], b"known" if request.certificate else b"nobody")


class Times:
    """Every look is one second later."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


async def asked(port: int, trusted: bytes, client: pki.Credential | None = None) -> bytes:
    tls = client_context(trusted, client.certificate, client.key) if client else client_context(trusted)
    transport = HttpTransport(f"https://127.0.0.1:{port}", tls)
    try:
        return (await transport.send(Request("GET", "/"))).body
    finally:
        await transport.close()


def test_handshakes_use_what_lies_in_the_files_now(tmp_path):
    async def scenario():
        old, new = pki.ca("old-ca", terms()), pki.ca("new-ca", terms())
        certificate, key, clients = (tmp_path / name for name in ("crt", "key", "clients"))

        def put(server: pki.Credential, authorities: bytes) -> None:
            for path, data in ((key, server.key), (certificate, server.certificate), (clients, authorities)):
                path.with_suffix(".new").write_bytes(data)
                path.with_suffix(".new").replace(path)

        put(serving(old, "one"), old.certificate)
        tls = RenewedTls(certificate, key, [clients], Times())
        http = HttpServer(who)
        port = await http.listen("127.0.0.1", 0, tls.context)
        ann_old, ann_new = (pki.client(authority, "ann", (), terms()) for authority in (old, new))
        try:
            assert await asked(port, old.certificate) == b"nobody"
            assert await asked(port, old.certificate, ann_old) == b"known"
            with pytest.raises(EdgeError):
                await asked(port, old.certificate, ann_new)
            # Both are trusted, then only the new one.
            put(serving(new, "two"), old.certificate + new.certificate)
            assert await asked(port, new.certificate, ann_old) == b"known"
            assert await asked(port, new.certificate, ann_new) == b"known"
            put(serving(new, "three"), new.certificate)
            with pytest.raises(EdgeError):
                await asked(port, new.certificate, ann_old)
            assert await asked(port, new.certificate, ann_new) == b"known"
            with pytest.raises(EdgeError):
                await asked(port, old.certificate)
            # A key that does not fit its certificate changes nothing.
            key.write_bytes(ann_old.key)
            assert await asked(port, new.certificate, ann_new) == b"known"
        finally:
            await http.stop(1)

    asyncio.run(scenario())


def test_files_that_cannot_be_used_keep_a_server_from_starting(tmp_path):
    with pytest.raises((OSError, ssl.SSLError)):
        RenewedTls(tmp_path / "crt", tmp_path / "key", (), Times())
