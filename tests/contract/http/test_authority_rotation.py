"""The cluster's authority is replaced step by step: who trusts what before still gets in after."""

import asyncio
import ssl

import pytest

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SystemRandom
from cybernetes.client.kubeconfig import access, load, transport
from cybernetes.install import authority, renewal, table
from cybernetes.install import pki as machine
from cybernetes.install.user_kubeconfig import merge_into_users, refresh_in_users
from cybernetes.run import files
from cybernetes.run.config import ApiServerConfig, ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.renewed import RenewedTls
from cybernetes.wire.http.server import HttpServer


async def hello(request: Request) -> Response:
    return Response(200, [], b"known" if request.certificate else b"nobody")


class Times:
    now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "users"))
    layout = Layout(tmp_path / "data")
    config = ClusterConfig(
        api_server=ApiServerConfig(port=0), nodes=(NodeConfig(name="n1", address="127.0.0.1"),), registry=False
    )
    machine.ensure(config, layout)
    return config, layout


def test_nobody_is_locked_out_by_any_step(cluster):
    config, layout = cluster

    async def scenario():
        own = files.api_server(layout)
        tls = RenewedTls(own.certificate, own.key, (files.ca(layout).certificate,), Times())
        http = HttpServer(hello)
        port = await http.listen("127.0.0.1", 0, tls.context)

        def credential():
            found = access(load([layout.admin_kubeconfig]))
            return type(found)(
                server=f"https://127.0.0.1:{port}",
                authority=found.authority,
                certificate=found.certificate,
                key=found.key,
            )

        async def gets_in(who) -> bool:
            client = transport(who)
            try:
                return (await client.send(Request("GET", "/"))).body == b"known"
            except (EdgeError, ssl.SSLError):
                return False
            finally:
                await client.close()

        try:
            before = credential()
            assert await gets_in(before)
            for step in authority.STEPS:
                former = credential()
                assert authority.next_step(layout) == step
                getattr(authority, step)(config, layout)
                assert await gets_in(credential())
                assert await gets_in(former), f"who read its file before {step} goes on"
                assert await gets_in(before) is (step != "finish")
            assert authority.next_step(layout) == "begin"
            assert not list(layout.pki.glob("ca-next*")) and not list(layout.pki.glob("ca-bridge*"))
        finally:
            await http.stop(1)

    asyncio.run(scenario())
    signed = {each.issuer for each in table.rows(layout) if "etcd" not in each.name and "front" not in each.name}
    assert len(signed) == 1 and signed != {"cybernetes-ca"}


def test_a_switch_that_was_interrupted_is_repeated(cluster):
    config, layout = cluster
    authority.begin(config, layout)
    bundle, key = files.ca(layout).certificate.read_bytes(), files.ca(layout).key.read_bytes()
    saved = {path: path.read_bytes() for path in layout.pki.glob("ca-next*")}
    authority.switch(config, layout)
    done = files.ca(layout).read()
    # As if it had ended after the bridge was written, and the key was replaced.
    for path, content in saved.items():
        path.write_bytes(content)
    old, new = (each + b"-----END CERTIFICATE-----\n" for each in bundle.split(b"-----END CERTIFICATE-----\n")[:2])
    terms = pki.Terms(SystemClock().now(), SystemRandom())
    bridge = pki.cross(pki.Credential(old, key), pki.Credential(new, done.key), terms)
    (layout.pki / "ca-bridge.crt").write_bytes(bridge)
    files.ca(layout).certificate.write_bytes(bundle)
    assert authority.next_step(layout) == "switch"
    authority.switch(config, layout)
    assert files.ca(layout).read() == done
    assert pki.is_issued_by(files.api_server(layout).certificate.read_bytes(), new)


def test_certificates_are_renewed_when_two_thirds_of_their_life_are_over(cluster):
    config, layout = cluster
    authority_of = files.ca(layout).read()
    now = SystemClock().now()
    for where, left in ((files.kubelet_client(layout), 0.3), (files.registry_client(layout), 0.5)):
        terms = pki.Terms(now - 1000 * (1 - left), SystemRandom(), 1000)
        where.write(pki.client(authority_of, "x", (), terms))
    kept = files.registry_client(layout).certificate.read_bytes()
    renewed = files.kubelet_client(layout).certificate.read_bytes()
    renewal.renew(config, layout)
    assert files.registry_client(layout).certificate.read_bytes() == kept
    assert files.kubelet_client(layout).certificate.read_bytes() != renewed


def test_a_renewed_administrator_is_the_users_too_and_their_context_stays(cluster, tmp_path):
    config, layout = cluster
    users = tmp_path / "users"
    users.write_text("apiVersion: v1\nkind: Config\ncurrent-context: other\n")
    refresh_in_users(layout.admin_kubeconfig)
    assert "kubernetes-admin" not in users.read_text(), "a cluster that is not there is not put there"
    merge_into_users(layout.admin_kubeconfig)
    users.write_text(users.read_text().replace("current-context: cybernetes", "current-context: other"))
    authority.begin(config, layout)
    found = load([users])
    assert found["current-context"] == "other"
    assert access(found, "cybernetes").authority == files.ca(layout).certificate.read_bytes()


def test_tokens_of_the_former_key_are_still_read(cluster):
    _, layout = cluster
    former = pki.public_key(files.service_account_key(layout).read_bytes())
    renewal.rotate_account_key(layout)
    renewal.rotate_account_key(layout)
    names = [path.name for path in files.former_service_account_keys(layout)]
    assert names == ["sa-former-0002.pub", "sa-former-0001.pub"]
    assert files.former_service_account_keys(layout)[1].read_bytes() == former
