"""Eviction: deletion of a pod that its disruption budget agrees to.

source  Kubernetes documentation "API-initiated Eviction", "Disruptions"
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from cybernetes.apiserver import body, respond, write
from cybernetes.apiserver.admit import admit, check
from cybernetes.apiserver.body import Shape
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.handlers.delete import DeleteOptions, remove
from cybernetes.apiserver.options import WriteOptions, write_options
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, Bug, Cause, bad_request, not_found
from cybernetes.model import selector
from cybernetes.model.resource import Strategy
from cybernetes.wire.http.message import Response

# A budget whose status speaks of an older spec will be brought up to date by its controller in this time.
STALE_RETRY_S = 10
# Above this, pods are evicted faster than the controller can follow, which would make the count useless.
DISRUPTED_MAX = 2000

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
    if not _goes_anyway(pod):
        await _take_from_budget(core, call, pod, deletion)
    if not deletion.dry_run:
        await _mark_disrupted(core, call)
    await remove(core, call, deletion)
    return respond.plain(
        call, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
    )


def _read(call: Call, options: WriteOptions) -> Object:
    from cybernetes.model.schema import compile as schema_compile

    node = schema_compile.node("io.k8s.api.policy.v1.Eviction")
    return body.read(call, Shape(node, "Eviction", "policy/v1"), options)


def _deletion(eviction: Object, options: WriteOptions) -> DeleteOptions:
    given: dict[str, Any] = eviction.get("deleteOptions") or {}
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        grace_s=given.get("gracePeriodSeconds"),
        policy=given.get("propagationPolicy"),
        uid=preconditions.get("uid"),
        revision=preconditions.get("resourceVersion"),
        dry_run=options.dry_run or bool(given.get("dryRun")),
    )


def _goes_anyway(pod: Object) -> bool:
    phase = pod.get("status", {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


async def _take_from_budget(core: Core, call: Call, pod: Object, deletion: DeleteOptions) -> None:
    """Count the eviction in the pod's budget. Raises ApiError 429 when it has nothing left, 500 for two budgets."""
    budgets = [
        each for each in core.lister.list("policy", "poddisruptionbudgets", call.info.namespace) if _covers(each, pod)
    ]
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(500, "", message)
    if not budgets:
        return
    budget = budgets[0]
    if not _ready(pod) and _unhealthy_may_go(budget):
        return
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
    name, spec, status = budget["metadata"]["name"], budget["spec"], budget.setdefault("status", {})
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", STALE_RETRY_S)
    allowed = status.get("disruptionsAllowed", 0)
    disrupted = status.setdefault("disruptedPods", {})
    if allowed <= 0:
        healthy = f"has {status.get('currentHealthy', 0)} currently"
        raise _too_many(
            f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods and {healthy}"
        )
    if len(disrupted) > DISRUPTED_MAX:
        raise ApiError(
            403, "Forbidden", f'poddisruptionbudgets.policy "{name}" is forbidden: DisruptedPods map too big'
        )
    assert spec is not None
    status["disruptionsAllowed"] = allowed - 1
    disrupted[pod_name] = now
    return budget


def _too_many(cause: str, retry_s: int = 0) -> ApiError:
    details: dict[str, Any] = {"causes": [Cause.of("DisruptionBudget", cause)]}
    if retry_s:
        details["retryAfterSeconds"] = retry_s
    return ApiError(429, "TooManyRequests", _REFUSED, details)


async def _mark_disrupted(core: Core, call: Call) -> None:
    now = rfc3339(core.clock.now())
    change = write.Change(apply=lambda pod: disrupted(pod, now), strategy=Strategy(), subresource="status", track=False)
    await write.update(core, call, change, WriteOptions())


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
