"""Administrators have their rights of a binding, which can be taken away."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cryptography import x509

from apiserver_fixture import serving_apiserver
from cybernetes.auth import pki as certificates
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.client.api import ApiClient
from cybernetes.client.target import NODES
from cybernetes.install import administrators, first_objects, pki
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout


def test_what_is_bound_can_be_unbound_and_stays_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving_apiserver(tmp_path) as api:
            await api.server.ready()
            layout, clock = Layout(tmp_path), SystemClock()
            files.super_admin_kubeconfig(layout).write_bytes(api.kubeconfig())
            masters = ApiClient(api.transport(), user_agent="test", clock=clock)
            admin = ApiClient(
                api.transport_as("kubernetes-admin", administrators.GROUP), user_agent="test", clock=clock
            )

            async def allowed() -> bool:
                try:
                    await admin.list(NODES)
                except ApiError as refusal:
                    assert refusal.code == 403
                    return False
                return True

            async def until(wanted: bool) -> None:
                async with asyncio.timeout(60):
                    while await allowed() is not wanted:  # noqa: ASYNC110 -- asked as anybody would
                        await asyncio.sleep(0)

            try:
                assert not await allowed()
                await first_objects.make(ClusterConfig(only=("apiserver",)), layout)
                await until(True)
                bound = await masters.get(administrators.BINDINGS, administrators.GROUP)
                await masters.update(administrators.BINDINGS, bound | {"subjects": []})
                await until(False)
                await first_objects.make(ClusterConfig(only=("apiserver",)), layout)
                assert "subjects" not in await masters.get(administrators.BINDINGS, administrators.GROUP)
            finally:
                await masters.close()
                await admin.close()

    asyncio.run(scenario())


def test_only_the_file_that_stays_on_the_machine_is_of_the_masters(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    pki.ensure(ClusterConfig(registry=False), layout)
    groups = {
        name: certificates.subject_of(
            x509.load_pem_x509_certificate(files.of(layout, f"client-{name}").certificate.read_bytes()).subject
        )[1]
        for name in ("admin", "super-admin")
    }
    assert groups == {"admin": ("cybernetes:cluster-admins",), "super-admin": ("system:masters",)}
    assert files.super_admin_kubeconfig(layout).stat().st_mode & 0o777 == 0o600
