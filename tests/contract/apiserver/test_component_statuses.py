"""How the components of the control plane are, as `kubectl get componentstatuses` shows it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from calls import Client

from apiserver_fixture import serving_apiserver
from cybernetes.apiserver.componentstatuses import ComponentStatuses
from cybernetes.client.answer import whole_body
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request
from cybernetes.wire.http.tls import client_context

PATH = "/api/v1/componentstatuses"
TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def test_what_answers_is_healthy_and_what_does_not_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            await api.server.ready()
            # Any server with a /healthz will do for a scheduler; at port 1 nobody listens.
            urls = {"scheduler": api.url, "controller-manager": "https://127.0.0.1:1"}
            api.server.core.observed["", "componentstatuses"] = ComponentStatuses(urls).handlers()
            transport = HttpTransport(api.url, client_context(api.ca, api.certificate, api.key))
            try:
                await look(Client(transport))
                answer = await transport.send(Request("GET", PATH, headers=TABLE))
                table = (await whole_body(answer)).decode()
                assert '["scheduler","Healthy","ok",""]' in table
            finally:
                await transport.close()

    async def look(client: Client) -> None:
        listed = await client.ok("GET", PATH)
        assert listed["metadata"] == {}
        found = {each["metadata"]["name"]: each["conditions"][0] for each in listed["items"]}
        assert list(found) == ["controller-manager", "etcd-0", "scheduler"]
        assert found["etcd-0"] == found["scheduler"] == {"type": "Healthy", "status": "True", "message": "ok"}
        assert found["controller-manager"]["status"] == "False"
        assert "127.0.0.1:1" in found["controller-manager"]["message"]

        one = await client.ok("GET", f"{PATH}/scheduler")
        assert (one["kind"], one["metadata"]["name"]) == ("ComponentStatus", "scheduler")
        assert (await client.call("GET", f"{PATH}/kubelet"))[0] == 404
        assert names(await client.ok("GET", PATH, fieldSelector="metadata.name=etcd-0")) == ["etcd-0"]
        assert (await client.call("DELETE", f"{PATH}/scheduler"))[0] == 405
        assert (await client.call("GET", PATH, watch="true"))[0] == 405

    def names(listed: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
        return [each["metadata"]["name"] for each in listed["items"]]

    asyncio.run(main())
