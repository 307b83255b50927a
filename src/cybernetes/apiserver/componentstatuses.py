"""ComponentStatuses: how scheduler, controller manager and store are at this moment. Nothing of it is stored.

enters   URLs at which components serve `/healthz`, as kube-apiserver knows them: on this machine
leaves   an object for each; what does not answer is Unhealthy, with the reason as its message
source   Kubernetes API reference "ComponentStatus v1"; deprecated since v1.19, and still what many people type first
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson

from cybernetes.apiserver import respond
from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.core import Call, Core, Handler, Object
from cybernetes.apiserver.handlers.list import selection_of
from cybernetes.apiserver.options import list_options
from cybernetes.apiserver.render import ListMeta, render_list
from cybernetes.base.errors import EdgeError, not_found
from cybernetes.client.answer import whole_body
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.tls import client_context

STORE = "etcd-0"
ANSWER_S = 5.0


class ComponentStatuses:
    """components: name -> URL, without a path."""

    def __init__(self, components: Mapping[str, str]) -> None:
        self._components = components

    def handlers(self) -> Mapping[str, Handler]:
        return {"get": self.get, "list": self.list}

    async def get(self, core: Core, call: Call) -> Response:
        name = call.info.name
        if name not in (*self._components, STORE):
            raise not_found(*call.not_found)
        return respond.one(core, call, (await self._look(core, name)).json)

    async def list(self, core: Core, call: Call) -> Response:
        selection = selection_of(call, list_options(call.request, watch=False))
        names = sorted((*self._components, STORE))
        items = await asyncio.gather(*(self._look(core, each) for each in names))
        form = respond.form_of(call, respond.LIST_SHAPES, listed=True)
        chosen = [each for each in items if selection.matches(each)]
        pieces = await render_list(respond.renderer(core, call, form), chosen, ListMeta(), core.clock)
        return respond.listed(call.request, form, pieces, warnings=call.warnings)

    async def _look(self, core: Core, name: str) -> Item:
        try:
            async with asyncio.timeout(ANSWER_S):
                told = await (self._ask_store(core) if name == STORE else _ask(self._components[name]))
        except TimeoutError:
            healthy, told = False, f"no answer within {ANSWER_S:g} s"
        except EdgeError as why:
            healthy, told = False, str(why)
        else:
            healthy = told == "ok"
        condition = {"type": "Healthy", "status": str(healthy), "message": told}
        status: Object = {"metadata": {"name": name}, "conditions": [condition]}
        return Item(name, orjson.dumps(status), 0, 0)

    async def _ask_store(self, core: Core) -> str:
        await core.store.revision()
        return "ok"


async def _ask(url: str) -> str:
    """What a component says of itself. Its certificate is not looked at: nothing secret is sent, and it is this machine."""
    transport = HttpTransport(url, client_context(verify=False))
    try:
        answer = await transport.send(Request("GET", "/healthz"))
        return (await whole_body(answer)).decode(errors="replace").strip()
    finally:
        await transport.close()
