"""A kubeconfig that is written anew while its client goes on."""

import asyncio

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.client import kubeconfig
from cybernetes.client.kubeconfig import LOOK_S, Access, FileTransport
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import server_context


class Ahead(SystemClock):
    """Stands still, but for what it is put ahead."""

    ahead = 0.0

    def monotonic(self):
        return self.ahead


def test_requests_come_with_the_certificate_that_the_file_has_now(tmp_path):
    async def scenario():
        clock = Ahead()
        terms = pki.Terms(clock.now(), SystemRandom())
        authority = pki.ca("the-ca", terms)
        serving = pki.serving(authority, "api", terms, addresses=("127.0.0.1",))
        (tmp_path / "crt").write_bytes(serving.certificate)
        (tmp_path / "key").write_bytes(serving.key)

        async def name(request: Request) -> Response:
            from cryptography import x509

            subject = x509.load_der_x509_certificate(request.certificate).subject
            return Response(200, [], subject.rfc4514_string().encode())

        http = HttpServer(name)
        port = await http.listen(
            "127.0.0.1", 0, server_context(tmp_path / "crt", tmp_path / "key", authority.certificate)
        )
        file = tmp_path / "kubeconfig"

        def write(user: str) -> None:
            own = pki.client(authority, user, (), terms)
            access = Access(
                server=f"https://127.0.0.1:{port}",
                authority=authority.certificate,
                certificate=own.certificate,
                key=own.key,
            )
            kubeconfig.write(file, kubeconfig.build(access, name="c", user=user))

        write("one")
        transport = FileTransport(file, clock)

        async def asked() -> bytes:
            return (await transport.send(Request("GET", "/"))).body

        try:
            assert await asked() == b"CN=one"
            write("two")
            assert await asked() == b"CN=one", "not looked at with every request"
            clock.ahead += LOOK_S
            assert await asked() == b"CN=two"
            file.write_text("{")
            clock.ahead += LOOK_S
            assert await asked() == b"CN=two", "a file that can't be used changes nothing"
        finally:
            await transport.close()
            await http.stop(1)

    asyncio.run(scenario())
