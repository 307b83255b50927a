"""Follows CertificateSigningRequests."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from cybernetes.auth import pki
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import if_there
from cybernetes.client.informer import Informer
from cybernetes.client.reviews import ACCESS_REVIEWS
from cybernetes.client.target import CERTIFICATE_SIGNING_REQUESTS
from cybernetes.controllers.certificates import plan
from cybernetes.controllers.certificates.plan import Csr
from cybernetes.controllers.loop import Edges, update, work

CLEAN_S = 3600.0

_log = Log("certificates")


class Approver:
    """Approves requests of nodes for themselves, if the API server says that the requester may ask."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._requests = edges.informers.certificate_requests
        self._queue = edges.queue()
        self._requests.on_change(lambda key, old, new: self._queue.add(key))

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("csr-approving", self._queue, self.sync)

    async def sync(self, name: str) -> float | None:
        csr = self._requests.items.get(name)
        if csr is None or csr.status.certificate or csr.has("Approved") or csr.has("Denied"):
            return None
        try:
            facts = pki.read_request(plan.pem_of(csr.spec.request))
        except ValueError as broken:
            _log.info("request.unreadable", name=name, why=str(broken))
            return None
        wanted = plan.approval(csr, facts, self._taken(facts.addresses))
        if wanted is None or not await self._may_ask(csr, wanted.subresource):
            return None
        now = rfc3339(self._edges.clock.now())
        told = {
            "type": "Approved",
            "status": "True",
            "reason": "AutoApproved",
            "message": wanted.message,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
        await _add_condition(self._edges, csr, told, "approval")
        return None

    def _taken(self, addresses: Iterable[str]) -> dict[str, str]:
        """Of the addresses those that a node has -> its name."""
        index = self._edges.informers.nodes_by_address
        return {address: name for address in addresses for name in index.keys(address)}

    async def _may_ask(self, csr: Csr, subresource: str) -> bool:
        spec = csr.spec
        attributes = {
            "group": "certificates.k8s.io",
            "resource": "certificatesigningrequests",
            "verb": "create",
            "subresource": subresource,
            "version": "*",
        }
        asked: dict[str, Any] = {
            "user": spec.username,
            "uid": spec.uid,
            "groups": list(spec.groups),
            "extra": spec.extra,
        }
        review = {"spec": {**asked, "resourceAttributes": attributes}}
        answer = await self._edges.client.create(ACCESS_REVIEWS, review)
        return bool((answer.get("status") or {}).get("allowed"))


class Signer:
    """Signs what was approved, for the four signers of a cluster."""

    def __init__(self, edges: Edges, authority: pki.Credential) -> None:
        self._edges = edges
        self._authority = authority
        self._requests = edges.informers.certificate_requests
        self._queue = edges.queue()
        self._requests.on_change(lambda key, old, new: self._queue.add(key))

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("csr-signing", self._queue, self.sync)

    async def sync(self, name: str) -> float | None:
        csr = self._requests.items.get(name)
        if csr is None or not plan.is_to_be_signed(csr):
            return None
        try:
            certificate, trouble = self._sign(csr), ""
        except ValueError as wrong:
            certificate, trouble = b"", str(wrong)
        if trouble:
            now = rfc3339(self._edges.clock.now())
            told = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": trouble}
            await _add_condition(self._edges, csr, {**told, "lastUpdateTime": now, "lastTransitionTime": now}, "status")
            return None

        def put(obj: dict[str, Any]) -> None:
            obj.setdefault("status", {})["certificate"] = base64.b64encode(certificate).decode()

        await _write(self._edges, csr, put, "status")
        return None

    def _sign(self, csr: Csr) -> bytes:
        """Raises ValueError with what is wrong with the request."""
        pem = plan.pem_of(csr.spec.request)
        trouble = plan.SIGNERS[csr.spec.signer_name](csr.spec.usages, pki.read_request(pem))
        if trouble:
            raise ValueError(trouble)
        life_s = plan.lifetime_s(csr.spec.expiration_seconds)
        terms = pki.Terms(self._edges.clock.now(), self._edges.random, life_s)
        return pki.sign(self._authority, pem, csr.spec.usages, terms)


class Cleaner:
    """Deletes old requests once an hour."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._requests: Informer[Csr] = edges.informers.certificate_requests

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        while True:
            now = self._edges.clock.now()
            for csr in [each for each in self._requests.items.values() if plan.is_old(each, now)]:
                try:
                    await self._edges.client.delete(
                        CERTIFICATE_SIGNING_REQUESTS, csr.metadata.name, uid=csr.metadata.uid
                    )
                except (ApiError, EdgeError) as error:
                    _log.debug("request.not-deleted", name=csr.metadata.name, why=str(error))
            await self._edges.clock.sleep(CLEAN_S)


async def _add_condition(edges: Edges, csr: Csr, told: dict[str, str], subresource: str) -> None:
    def add(obj: dict[str, Any]) -> None:
        obj.setdefault("status", {}).setdefault("conditions", []).append(told)

    await _write(edges, csr, add, subresource)


async def _write(edges: Edges, csr: Csr, change: Callable[[dict[str, Any]], None], subresource: str) -> None:
    with if_there():
        await update(edges.client, CERTIFICATE_SIGNING_REQUESTS, csr.metadata, change, subresource=subresource)
