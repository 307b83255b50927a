"""Binding a pod to a node: `pods/NAME/binding`, and the collection `bindings` of old clients."""

from __future__ import annotations

import msgspec

from cybernetes.apiserver import body, respond, write
from cybernetes.apiserver.admit import admit, check
from cybernetes.apiserver.body import Shape
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.options import WriteOptions, write_options
from cybernetes.apiserver.registry import Served
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, Bug, bad_request, conflict
from cybernetes.model import field
from cybernetes.model.field import Path
from cybernetes.model.resource import Strategy
from cybernetes.wire.http.message import Response

BINDING = "io.k8s.api.core.v1.Binding"


async def bind(core: Core, call: Call) -> Response:
    options = write_options(call.request, "CreateOptions")
    binding = body.read(call, _shape(), options)
    body.check_namespace(call, binding)
    if binding["metadata"].get("name", "") not in ("", call.info.name):
        raise bad_request("name in URL does not match name in Binding object")
    _check(binding, call.info.name)
    await admit(core, call, "CREATE", binding, None, options, "binding")
    await check(core, call, "CREATE", binding, None, options, "binding")
    await assign(core, call, binding, options)
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return respond.plain(call, status, 201)


def _shape() -> Shape:
    from cybernetes.model.schema import compile as schema_compile

    return Shape(schema_compile.node(BINDING), "Binding", "v1")


async def bind_named(core: Core, call: Call) -> Response:
    """POST /bindings: the pod's name is in the body."""
    options = write_options(call.request, "CreateOptions")
    name = body.read(call, _shape(), options)["metadata"].get("name", "")
    info = msgspec.structs.replace(call.info, resource="pods", name=name, subresource="binding")
    return await bind(core, msgspec.structs.replace(call, served=pods_row(core), info=info))


def pods_row(core: Core) -> Served:
    pods = core.registry.find("", "v1", "pods")
    if pods is None:
        raise Bug("pods are not served")
    return pods


async def assign(core: Core, call: Call, binding: Object, options: WriteOptions) -> None:
    now = rfc3339(core.clock.now())
    change = write.Change(
        apply=lambda pod: bound(pod, binding, now),
        strategy=Strategy(),
        subresource="binding",
        track=False,
        judged=True,
    )
    await write.update(core, call, change, options)


def bound(pod: Object, binding: Object, now: str) -> Object:
    """The pod on its node, with PodScheduled true. Raises ApiError 409 when it may not go there (any more)."""
    name, metadata = pod["metadata"]["name"], pod["metadata"]
    spec, status = pod["spec"], pod.setdefault("status", {})
    given = binding["metadata"]
    if given.get("uid") and given["uid"] != metadata["uid"]:
        why = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {metadata['uid']}"
        raise _conflict(name, why)
    if metadata.get("deletionTimestamp"):
        raise _conflict(name, f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise _conflict(name, f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        raise _conflict(name, f"pod {name} has non-empty .spec.schedulingGates")
    spec["nodeName"] = binding["target"]["name"]
    for kind in ("annotations", "labels"):
        if given.get(kind):
            metadata[kind] = {**metadata.get(kind, {}), **given[kind]}
    status.pop("nominatedNodeName", None)
    _set_scheduled(status, now)
    return pod


def _set_scheduled(status: Object, now: str) -> None:
    conditions = status.setdefault("conditions", [])
    wanted = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    for at, condition in enumerate(conditions):
        if condition["type"] == "PodScheduled":
            if condition["status"] != "True":
                conditions[at] = wanted
            return
    conditions.append(wanted)


def _conflict(name: str, why: str) -> ApiError:
    return conflict("", "pods/binding", name, why)


def _check(binding: Object, name: str) -> None:
    target, errors = binding.get("target", {}), []
    if target.get("kind", "") not in ("", "Node"):
        errors.append(field.not_supported(Path("target").child("kind"), target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        errors.append(field.required(Path("target").child("name")))
    if errors:
        raise field.invalid_object("", "Binding", name, errors)
