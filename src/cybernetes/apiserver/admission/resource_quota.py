"""ResourceQuota: what a write adds is charged to the namespace's quotas, or the write is refused.

Charging is exact while many requests come at once: those of a namespace are decided one after the other on one
state, and what they add together is written in one checked transaction before any of them goes on. A charge whose
write fails afterwards is taken back by the quota controller, which counts what is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from typing import Any, Protocol

import msgspec

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Step, Validating
from cybernetes.apiserver.admission.kept import ByNamespace
from cybernetes.auth.lister import Lister
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError
from cybernetes.model import pod_resources, quantity, quota
from cybernetes.model.pod_resources import Amounts

Object = dict[str, Any]

# Tries of one batch of charges; each loses only to another API server or to the quota controller.
ATTEMPTS_MAX = 8
# Written more often than anything, and by the system itself.
_UNCHARGED = frozenset((("", "events"), ("events.k8s.io", "events"), ("", "bindings")))
_UPDATED = frozenset((("", "services"), ("", "persistentvolumeclaims"), ("resource.k8s.io", "resourceclaims")))


class Changed(Exception):
    """A quota was changed by someone else meanwhile; nothing was written."""


class Ledger(Protocol):
    async def current(self, namespace: str) -> Sequence[Object]:
        """The namespace's quotas, with everything that was written before this call."""
        ...

    async def write(self, charged: Sequence[Object]) -> None:
        """Store the status of quotas together, each as it was read but for status.used. Raises Changed."""
        ...


class _Charge(msgspec.Struct):
    """One request's wait. `answer` is set when it was decided: None for allowed."""

    attributes: AdmissionAttributes
    decided: bool = False
    answer: ApiError | None = None


class _Desk(msgspec.Struct):
    """A namespace's queue; who holds the lock decides for all who wait."""

    lock: asyncio.Lock
    waiting: list[_Charge] = []


class ResourceQuota(Validating):
    name = "ResourceQuota"

    def __init__(self, lister: Lister, ledger: Ledger, clock: Clock) -> None:
        self._quotas = ByNamespace(lister, "", "resourcequotas")
        self._ledger = ledger
        self._clock = clock
        self._desks: dict[str, _Desk] = {}

    def validator(self, place: Place) -> Step | None:
        if (place.group, place.plural) in _UNCHARGED:
            return None
        resized = place.is_pod("UPDATE", subresource="resize")
        created = place.operation == "CREATE" and not place.subresource
        changed = place.operation == "UPDATE" and not place.subresource and (place.group, place.plural) in _UPDATED
        return self._charge if resized or created or changed else None

    def _charge(self, attributes: AdmissionAttributes) -> Awaitable[None] | None:
        quotas: Collection[Object] = self._quotas.of(attributes.namespace) if attributes.namespace else ()
        if not quotas or not any(concerns(each, attributes) for each in quotas):
            return None
        return self._queue(attributes)

    async def _queue(self, attributes: AdmissionAttributes) -> None:
        namespace = attributes.namespace
        desk = self._desks.setdefault(namespace, _Desk(asyncio.Lock()))
        mine = _Charge(attributes)
        desk.waiting.append(mine)
        try:
            async with desk.lock:
                if not mine.decided:
                    await self._decide_all(namespace, desk)
        finally:
            if mine in desk.waiting:
                desk.waiting.remove(mine)
            if not desk.waiting and not desk.lock.locked():
                self._desks.pop(namespace, None)
        if mine.answer is not None:
            raise mine.answer

    async def _decide_all(self, namespace: str, desk: _Desk) -> None:
        batch = list(desk.waiting)
        for _ in range(ATTEMPTS_MAX):
            quotas = await self._ledger.current(namespace)
            answers, charged = decide(quotas, [each.attributes for each in batch], self._clock.now())
            try:
                if charged:
                    await self._ledger.write(charged)
            except Changed:
                continue
            for charge, answer in zip(batch, answers, strict=True):
                charge.decided, charge.answer = True, answer
                # One that was cancelled meanwhile has left by itself.
                if charge in desk.waiting:
                    desk.waiting.remove(charge)
            return
        raise ApiError(409, "Conflict", f"the quotas of namespace {namespace} change too often; please try again")


def concerns(found: Object, attributes: AdmissionAttributes) -> bool:
    """Whether the quota limits anything of such objects; scopes are for later."""
    hard = (found.get("status") or {}).get("hard") or found["spec"].get("hard") or {}
    return bool(quota.relevant(attributes.group, attributes.plural, hard))


def decide(
    quotas: Sequence[Object], writes: Sequence[AdmissionAttributes], now: float
) -> tuple[list[ApiError | None], list[Object]]:
    """Allow or refuse each write on what the ones before it have left.

    returns  an answer for each write, None for allowed; quotas whose status.used changed, as copies
    """
    state = {each["metadata"]["name"]: each for each in quotas}
    answers: list[ApiError | None] = []
    for attributes in writes:
        try:
            used = charge(list(state.values()), attributes, now)
        except ApiError as refused:
            answers.append(refused)
            continue
        answers.append(None)
        if not attributes.dry_run:
            for name, amounts in used.items():
                state[name] = {**state[name], "status": {**state[name]["status"], "used": amounts}}
    return answers, [state[each["metadata"]["name"]] for each in quotas if state[each["metadata"]["name"]] is not each]


def charge(quotas: Sequence[Object], attributes: AdmissionAttributes, now: float) -> dict[str, Amounts]:
    """The new status.used of each quota that the write changes. Raises ApiError 403."""
    mine = [each for each in quotas if quota.in_scope(each, attributes.group, attributes.plural, attributes.new)]
    pertinent = [(each, names) for each in mine if (names := _limited(each, attributes))]
    if not pertinent:
        return {}
    delta = _delta(attributes, now)
    used: dict[str, Amounts] = {}
    for found, _ in pertinent if delta else ():
        status = found["status"]
        added = {name: amount for name, amount in delta.items() if name in status["hard"]}
        if added:
            used[found["metadata"]["name"]] = _charged(found, added, attributes)
    return used


def _limited(found: Object, attributes: AdmissionAttributes) -> list[str]:
    """Names of what this quota limits of the object. Raises ApiError when it says too little, or the quota knows too little."""
    status, name = found.get("status") or {}, found["metadata"]["name"]
    limited = quota.relevant(attributes.group, attributes.plural, status.get("hard") or found["spec"].get("hard") or {})
    if attributes.group == "" and attributes.plural == "pods" and limited:
        why = quota.unspecified(attributes.new["spec"], limited)
        if why:
            raise attributes.forbidden(f"failed quota: {name}: {why}")
    unknown = sorted(each for each in limited if each not in (status.get("used") or {}))
    if unknown:
        raise attributes.forbidden(f"status unknown for quota: {name}, resources: {','.join(unknown)}")
    return limited


def _delta(attributes: AdmissionAttributes, now: float) -> Amounts:
    group, plural = attributes.group, attributes.plural
    delta = quota.usage(group, plural, attributes.new, now)
    negative = sorted(name for name, amount in delta.items() if quantity.nano(amount) < 0)
    if negative:
        raise attributes.forbidden(f"quota usage is negative for resource(s): {','.join(negative)}")
    if attributes.old is not None:
        delta = pod_resources.subtract(delta, quota.usage(group, plural, attributes.old, now))
    return {name: amount for name, amount in delta.items() if quantity.nano(amount) != 0}


def _charged(found: Object, added: Amounts, attributes: AdmissionAttributes) -> Amounts:
    hard, used = found["status"]["hard"], found["status"].get("used") or {}
    new = pod_resources.add(used, added)
    exceeded = sorted(name for name in added if quantity.compare(new[name], hard[name]) > 0)
    if exceeded:
        raise attributes.forbidden(
            f"exceeded quota: {found['metadata']['name']}, requested: {_listed(added, exceeded)}, "
            f"used: {_listed(used, exceeded)}, limited: {_listed(hard, exceeded)}"
        )
    return new


def _listed(amounts: Amounts, names: Sequence[str]) -> str:
    return ",".join(f"{name}={quantity.canonical(amounts.get(name, '0'))}" for name in names)
