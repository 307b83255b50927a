"""Eviction: deletion of a pod that its disruption budget agrees to.

source  Kubernetes documentation "API-initiated Eviction", "Disruptions"
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from cybernetes.apiserver import body, respond, stored, write
from cybernetes.apiserver.admit import admit, check
from cybernetes.apiserver.body import Shape
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.handlers.delete import DeleteOptions, check_preconditions, checked_options, remove
from cybernetes.apiserver.options import WriteOptions, write_options
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, Bug, Cause, bad_request, not_found
from cybernetes.model import selector
from cybernetes.model.resource import Strategy
from cybernetes.model.schema.decode import Undecodable
from cybernetes.wire.http.message import Response

# A budget whose status speaks of an older spec will be brought up to date by its controller in this time.
STALE_RETRY_S = 10
# Above this, pods are evicted faster than the controller can follow, which would make the count useless.
DISRUPTED_MAX = 2000

_VERSION, _FORMER_VERSION = "policy/v1", "policy/v1beta1"
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(core: Core, call: Call) -> Response:
    options = write_options(call.request, "CreateOptions")
    eviction = _read(call, options)
    deletion = _deletion(eviction, options)
    body.check_namespace(call, eviction)
    await admit(core, call, "CREATE", eviction, None, options, "eviction")
    if eviction["metadata"].get("name", "") != call.info.name:
        raise bad_request("name in URL does not match name in Eviction object")
    await check(core, call, "CREATE", eviction, None, options, "eviction")
    await core.consistent()
    pod = core.lister.get("", "pods", call.info.namespace, call.info.name)
    if pod is None:
        raise not_found("", "pods", call.info.name)
    spared = None if _goes_anyway(pod) else await _take_from_budget(core, call, pod, deletion)
    if spared is not None and deletion.revision is None:
        await _evict_unready(core, call, pod, deletion, spared)
    else:
        await _delete(core, call, deletion)
    return respond.plain(
        call, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
    )


def _read(call: Call, options: WriteOptions) -> Object:
    """An Eviction of either version: they are the same."""
    from cybernetes.model.schema import compile as schema_compile

    node = schema_compile.node("io.k8s.api.policy.v1.Eviction")
    try:
        return body.read(call, Shape(node, "Eviction", _VERSION), options)
    except Undecodable:
        if _FORMER_VERSION.encode() not in call.request.body:
            raise
        return {**body.read(call, Shape(node, "Eviction", _FORMER_VERSION), options), "apiVersion": _VERSION}


def _deletion(eviction: Object, options: WriteOptions) -> DeleteOptions:
    """A dry run may be asked for by the request or by the options in it. Raises ApiError 422, 500."""
    given: Object = eviction.get("deleteOptions") or {}
    asked, told = ["All"] if options.dry_run else [], given.get("dryRun") or []
    if asked and told and asked != told:
        listed = f"[{' '.join(asked)}] and [{' '.join(told)}]"
        raise ApiError(500, "", f"Non-matching dry-run options in request and content: {listed}")
    return checked_options({**given, "dryRun": told or asked})


def _goes_anyway(pod: Object) -> bool:
    phase = pod.get("status", {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


async def _take_from_budget(core: Core, call: Call, pod: Object, deletion: DeleteOptions) -> str | None:
    """Count the eviction in the pod's budget, or give the budget's name when it is spared because the pod is unready.

    raises  ApiError 429 when the budget has nothing left, 500 for two budgets
    """
    budgets = [
        each for each in core.lister.list("policy", "poddisruptionbudgets", call.info.namespace) if _covers(each, pod)
    ]
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(500, "", message)
    if not budgets:
        return None
    budget = budgets[0]
    if not _ready(pod) and _unhealthy_may_go(budget):
        name: str = budget["metadata"]["name"]
        return name
    now = rfc3339(core.clock.now())
    served = core.registry.find("policy", "v1", "poddisruptionbudgets")
    if served is None:
        raise Bug("disruption budgets are not served")
    info = msgspec.structs.replace(
        call.info,
        group="policy",
        resource=served.resource.plural,
        name=budget["metadata"]["name"],
        subresource="status",
    )
    change = write.Change(
        apply=lambda old: counted(old, pod["metadata"]["name"], now),
        strategy=Strategy(),
        subresource="status",
        track=False,
    )
    inner = msgspec.structs.replace(call, served=served, info=info)
    await write.update(core, inner, change, WriteOptions(dry_run=deletion.dry_run))
    return None


def _covers(budget: Object, pod: Object) -> bool:
    chosen = budget.get("spec", {}).get("selector")
    return selector.matcher(selector.from_object(chosen))(pod["metadata"].get("labels", {}))


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _unhealthy_may_go(budget: Object) -> bool:
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status", {})
    desired = status.get("desiredHealthy", 0)
    return bool(status.get("currentHealthy", 0) >= desired > 0)


def counted(budget: Object, pod_name: str, now: str) -> Object:
    """The budget after one more disruption. Raises ApiError 429 when it allows none."""
    name, status = budget["metadata"]["name"], budget.setdefault("status", {})
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _unsettled(name)
    allowed = status.get("disruptionsAllowed", 0)
    disrupted = status.setdefault("disruptedPods", {})
    if allowed < 0:
        raise _forbidden(name, "pdb disruptions allowed is negative", "pdb disruptions allowed is negative")
    if len(disrupted) > DISRUPTED_MAX:
        why = "too many evictions not confirmed by PDB controller"
        told = "too many pending evictions not confirmed by PDB controller"
        raise _forbidden(name, f"DisruptedPods map too big - {why}", told)
    if allowed == 0:
        raise _too_many(_why_none(name, status))
    status["disruptionsAllowed"] = allowed - 1
    if allowed == 1:
        _tell_insufficient(status, now)
    disrupted[pod_name] = now
    return budget


_ALLOWED = "DisruptionAllowed"


def _why_none(name: str, status: Object) -> str:
    """Counts are not to be trusted where the controller could not count."""
    condition: Object = next((each for each in status.get("conditions", ()) if each["type"] == _ALLOWED), {})
    told = condition.get("message", "") if condition.get("status") == "False" else ""
    no = f"The disruption budget {name} does not allow evicting pods currently"
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if told and condition.get("reason") == "SyncFailed":
        return f"{no} because it failed sync: {told}"
    if healthy <= desired:
        return f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
    return f"{no} ({condition.get('reason')}): {told}" if told else no


def _tell_insufficient(status: Object, now: str) -> None:
    """As the controller will: the last disruption was given away."""
    conditions = status.setdefault("conditions", [])
    at = next((i for i, each in enumerate(conditions) if each["type"] == _ALLOWED), len(conditions))
    was = conditions[at] if at < len(conditions) else {}
    conditions[at : at + 1] = [
        {
            "type": _ALLOWED,
            "status": "False",
            "observedGeneration": status.get("observedGeneration", 0),
            "lastTransitionTime": was["lastTransitionTime"] if was.get("status") == "False" else now,
            "reason": "InsufficientPods",
            "message": "",
        }
    ]


def _unsettled(name: str) -> ApiError:
    return _too_many(f"The disruption budget {name} is still being processed by the server.", STALE_RETRY_S)


def _forbidden(name: str, why: str, told: str) -> ApiError:
    cause = f"The disruption budget {name} does not allow evicting pods currently: {told}"
    details = {
        "name": name,
        "group": "policy",
        "kind": "poddisruptionbudget",
        "causes": [Cause.of("DisruptionBudget", cause)],
    }
    return ApiError(403, "Forbidden", f'poddisruptionbudget.policy "{name}" is forbidden: {why}', details)


def _too_many(cause: str, retry_s: int = 0) -> ApiError:
    details: dict[str, Any] = {"causes": [Cause.of("DisruptionBudget", cause)]}
    if retry_s:
        details["retryAfterSeconds"] = retry_s
    return ApiError(429, "TooManyRequests", _REFUSED, details)


async def _evict_unready(core: Core, call: Call, pod: Object, deletion: DeleteOptions, budget: str) -> None:
    """Only as it was seen: a pod that became ready meanwhile would have to be counted."""
    try:
        await _delete(core, call, msgspec.structs.replace(deletion, revision=pod["metadata"]["resourceVersion"]))
    except ApiError as error:
        if error.reason != "Conflict":
            raise
        raise _unsettled(budget) from error


async def _delete(core: Core, call: Call, deletion: DeleteOptions) -> None:
    """Tell in the pod's conditions why it goes, and delete it. Raises ApiError 404, 409."""
    if not deletion.dry_run:
        written = await _mark_disrupted(core, call, deletion)
        if deletion.revision is not None:
            revision = stored.decode(written.item)["metadata"]["resourceVersion"]
            deletion = msgspec.structs.replace(deletion, revision=revision)
    await remove(core, call, deletion, judged=True)


async def _mark_disrupted(core: Core, call: Call, deletion: DeleteOptions) -> write.Written:
    now = rfc3339(core.clock.now())

    def apply(pod: Object) -> Object:
        check_preconditions(call, pod, deletion)
        return disrupted(pod, now)

    change = write.Change(apply=apply, strategy=Strategy(), subresource="status", track=False, judged=True)
    return await write.update(core, call, change, WriteOptions())


def disrupted(pod: Object, now: str) -> Object:
    """The pod with the condition that tells its controllers why it goes."""
    conditions = pod.setdefault("status", {}).setdefault("conditions", [])
    wanted = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now,
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    pod["status"]["conditions"] = [*(each for each in conditions if each["type"] != wanted["type"]), wanted]
    plain: Object = orjson.loads(orjson.dumps(pod))
    return plain
