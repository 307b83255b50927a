"""Kinds of all areas through everything that a client may do with them.

source  the project's list of conformance behaviours: lifecycles and API operations
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from calls import Client, Object, run
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apiserver_fixture import RunningApi


class Kind(msgspec.Struct, frozen=True):
    """change: merged into an object; status: of the status subresource, None where there is none."""

    path: str
    body: Object
    change: Object
    status: Object | None = None


def _core(resource: str) -> str:
    return f"/api/v1/namespaces/life/{resource}"


def _group(group: str, resource: str, *, namespaced: bool = False) -> str:
    return f"/apis/{group}/v1/{'namespaces/life/' if namespaced else ''}{resource}"


_PV = {
    "capacity": {"storage": "5Gi"},
    "accessModes": ["ReadWriteOnce"],
    "persistentVolumeReclaimPolicy": "Retain",
    "csi": {"driver": "e2e.example.com", "volumeHandle": "h"},
}
_PVC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "none"}
_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
_REQUEST = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "class"}}]}}
_ATTACHMENT = {"attacher": "e2e.example.com", "nodeName": "n", "source": {"persistentVolumeName": "pv"}}
_HOOK = {
    "name": "h.example.com",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "failurePolicy": "Ignore",
    "clientConfig": {"url": "https://127.0.0.1:1"},
    "rules": [
        {"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["none"]}
    ],
}
_MATCH = {
    "resourceRules": [
        {"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["none"]}
    ]
}
_BOUND = {"policyName": "nobody", "matchResources": _MATCH}
_SUBJECTS = [{"kind": "User", "user": {"name": "nobody"}}]
_SIGNING = base64.b64encode(
    x509.CertificateSigningRequestBuilder()
    .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "e2e-example")]))
    .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    .public_bytes(serialization.Encoding.PEM)
).decode()
_CONDITION = {"type": "E2E", "status": "True", "reason": "Set", "message": "from a test"}

KINDS = {
    "PodTemplate": Kind(_core("podtemplates"), {"template": _TEMPLATE}, {"template": {"metadata": {"labels": {"c": "d"}}}}),
    "ConfigMap": Kind(_core("configmaps"), {"data": {"k": "v"}}, {"data": {"k": "w"}}),
    "Secret": Kind(_core("secrets"), {"data": {"k": "dg=="}}, {"data": {"k": "dw=="}}),
    "Lease": Kind(_group("coordination.k8s.io", "leases", namespaced=True),
                  {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 30, "acquireTime": "2026-01-01T00:00:00.000000Z",
                            "renewTime": "2026-01-01T00:00:05.000000Z", "leaseTransitions": 0}},
                  {"spec": {"holderIdentity": "b", "leaseDurationSeconds": 60, "leaseTransitions": 1}}),
    "RuntimeClass": Kind(_group("node.k8s.io", "runtimeclasses"), {"handler": "h"}, {"overhead": None}),
    "CSIDriver": Kind(_group("storage.k8s.io", "csidrivers"), {"spec": {"attachRequired": False, "podInfoOnMount": True}},
                      {"spec": {"storageCapacity": True}}),
    "CSINode": Kind(_group("storage.k8s.io", "csinodes"), {"spec": {"drivers": [{"name": "d", "nodeID": "n"}]}}, {}),
    "CSIStorageCapacity": Kind(_group("storage.k8s.io", "csistoragecapacities", namespaced=True),
                               {"storageClassName": "s", "capacity": "1Gi"}, {"capacity": "2Gi"}),
    "StorageClass": Kind(_group("storage.k8s.io", "storageclasses"), {"provisioner": "e2e.example.com"}, {"allowVolumeExpansion": True}),
    "VolumeAttributesClass": Kind(_group("storage.k8s.io", "volumeattributesclasses"),
                                  {"driverName": "e2e.example.com", "parameters": {"iops": "1"}}, {}),
    "VolumeAttachment": Kind(_group("storage.k8s.io", "volumeattachments"), {"spec": _ATTACHMENT}, {}, {"attached": True}),
    "PersistentVolume": Kind("/api/v1/persistentvolumes", {"spec": _PV}, {"spec": {"capacity": {"storage": "6Gi"}}},
                             {"message": "StatusPatched", "reason": "E2E"}),
    "PersistentVolumeClaim": Kind(_core("persistentvolumeclaims"), {"spec": _PVC}, {},
                                  {"conditions": [{**_CONDITION, "lastTransitionTime": None, "lastProbeTime": None}]}),
    "DeviceClass": Kind(_group("resource.k8s.io", "deviceclasses"), {"spec": {}},
                        {"spec": {"selectors": [{"cel": {"expression": "true"}}]}}),
    "ResourceClaim": Kind(_group("resource.k8s.io", "resourceclaims", namespaced=True), {"spec": _REQUEST}, {},
                          {"allocation": {"devices": {"results": [{"request": "r", "driver": "e2e.example.com", "pool": "p", "device": "d"}]}}}),
    "ResourceClaimTemplate": Kind(_group("resource.k8s.io", "resourceclaimtemplates", namespaced=True), {"spec": {"spec": _REQUEST}}, {}),
    "ResourceSlice": Kind(_group("resource.k8s.io", "resourceslices"),
                          {"spec": {"driver": "e2e.example.com", "nodeName": "n", "devices": [{"name": "d"}],
                                    "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}}},
                          {"spec": {"devices": [{"name": "d"}, {"name": "e"}]}}),
    "Node": Kind("/api/v1/nodes", {}, {"spec": {"unschedulable": True}},
                 {"conditions": [{**_CONDITION, "lastHeartbeatTime": None, "lastTransitionTime": None}]}),
    "Pod": Kind(_core("pods"), {"spec": {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 0}},
                {"spec": {"activeDeadlineSeconds": 5000}}, {"message": "Patched by a test", "reason": "E2E"}),
    "ServiceAccount": Kind(_core("serviceaccounts"), {}, {"automountServiceAccountToken": False}),
    "ResourceQuota": Kind(_core("resourcequotas"), {"spec": {"hard": {"count/none": "1"}}}, {"spec": {"hard": {"count/none": "2"}}},
                          {"hard": {"count/none": "2"}}),
    "Event": Kind(_core("events"), {"involvedObject": {"namespace": "life"}, "type": "Normal", "reason": "Test"}, {"message": "changed"}),
    "Event of the new group": Kind(_group("events.k8s.io", "events", namespaced=True),
                                   {"regarding": {"namespace": "life"}, "type": "Normal", "reason": "Test", "action": "Do",
                                    "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "e2e.example.com/c",
                                    "reportingInstance": "i"},
                                   {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:05.000000Z"}}),
    "CertificateSigningRequest": Kind(_group("certificates.k8s.io", "certificatesigningrequests"),
                                      {"spec": {"request": _SIGNING, "signerName": "e2e.example.com/s", "usages": ["digital signature"],
                                                "expirationSeconds": 3600}},
                                      {}, {"conditions": [{**_CONDITION, "lastTransitionTime": None, "lastUpdateTime": None}]}),
    "FlowSchema": Kind(_group("flowcontrol.apiserver.k8s.io", "flowschemas"),
                       {"spec": {"matchingPrecedence": 9999, "priorityLevelConfiguration": {"name": "global-default"},
                                 "rules": [{"subjects": _SUBJECTS, "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/none"]}]}]}},
                       {"spec": {"matchingPrecedence": 9998}}),
    "PriorityLevelConfiguration": Kind(_group("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
                                       {"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}}}},
                                       {"spec": {"limited": {"nominalConcurrencyShares": 4}}},
                                       {"conditions": [{**_CONDITION, "lastTransitionTime": None}]}),
    "MutatingWebhookConfiguration": Kind(_group("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
                                         {"webhooks": [_HOOK]}, {"webhooks": [{**_HOOK, "timeoutSeconds": 2}]}),
    "ValidatingWebhookConfiguration": Kind(_group("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
                                           {"webhooks": [_HOOK]}, {"webhooks": [{**_HOOK, "timeoutSeconds": 2}]}),
    "ValidatingAdmissionPolicy": Kind(_group("admissionregistration.k8s.io", "validatingadmissionpolicies"),
                                      {"spec": {"matchConstraints": _MATCH, "validations": [{"expression": "true"}]}},
                                      {"spec": {"failurePolicy": "Ignore"}},
                                      {"conditions": [{**_CONDITION, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
    "ValidatingAdmissionPolicyBinding": Kind(_group("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
                                             {"spec": {**_BOUND, "validationActions": ["Deny"]}}, {"spec": {"validationActions": ["Warn"]}}),
    "MutatingAdmissionPolicy": Kind(_group("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
                                    {"spec": {"matchConstraints": _MATCH, "reinvocationPolicy": "Never",
                                              "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}}]}},
                                    {"spec": {"failurePolicy": "Ignore"}}),
    "MutatingAdmissionPolicyBinding": Kind(_group("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
                                           {"spec": _BOUND}, {"spec": {"policyName": "nobody-else"}}),
}  # fmt: skip


@pytest.fixture(scope="module")
def life(api: RunningApi) -> None:
    async def make(client: Client) -> None:
        await client.namespace("life")

    run(api, make)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_goes_through_its_life(api: RunningApi, life: None, kind: str) -> None:
    row = KINDS[kind]
    suffix = kind.lower().replace(" ", "-")
    name = f"one-{suffix}"
    labels = {"test": name}

    async def test(client: Client) -> None:
        made = await client.ok("POST", row.path, {"metadata": {"name": name, "labels": labels}, **row.body})
        assert made["metadata"]["uid"]
        listed = await client.ok("GET", row.path, labelSelector=f"test={name}")
        assert [each["metadata"]["name"] for each in listed["items"]] == [name]
        everywhere = row.path.replace("/namespaces/life", "")
        assert len((await client.ok("GET", everywhere, labelSelector=f"test={name}"))["items"]) == 1
        version = listed["metadata"]["resourceVersion"]
        async with client.watch(row.path, labelSelector=f"test={name}", resourceVersion=version) as next_event:
            await _change(client, row, name)
            if row.status is not None:
                await _change_status(client, row, name)
            event = await next_event()
            assert event is not None and event["type"] == "MODIFIED"
            await _delete(client, f"{row.path}/{name}")
            while event is not None and event["type"] != "DELETED":
                event = await next_event()
            assert event is not None
        assert (await client.call("GET", f"{row.path}/{name}"))[0] == 404
        for other in ("two", "three"):
            body = {"metadata": {"name": f"{other}-{suffix}", "labels": labels}, **row.body}
            await client.ok("POST", row.path, body)
            await client.ok("PATCH", f"{row.path}/{body['metadata']['name']}", {"metadata": {"finalizers": None}})
        await client.ok("DELETE", row.path, labelSelector=f"test={name}")
        assert (await client.ok("GET", row.path, labelSelector=f"test={name}"))["items"] == []

    run(api, test)


async def _delete(client: Client, path: str) -> None:
    """Without the finalizers that controllers take away."""
    await client.ok("PATCH", path, {"metadata": {"finalizers": None}})
    await client.ok("DELETE", path)


async def _change(client: Client, row: Kind, name: str) -> None:
    """Patch, replace and apply."""
    patched = await client.ok(
        "PATCH", f"{row.path}/{name}", {"metadata": {"annotations": {"patched": "1"}}, **row.change}
    )
    assert patched["metadata"]["annotations"]["patched"] == "1"
    _contains(patched, row.change)
    patched["metadata"]["annotations"]["updated"] = "2"
    updated = await client.ok("PUT", f"{row.path}/{name}", patched)
    assert updated["metadata"]["annotations"] == {"patched": "1", "updated": "2"}
    applied = await _apply(client, f"{row.path}/{name}", updated, {"metadata": {"annotations": {"applied": "3"}}})
    assert applied["metadata"]["annotations"]["applied"] == "3"


async def _change_status(client: Client, row: Kind, name: str) -> None:
    path = f"{row.path}/{name}/status"
    assert row.status is not None
    patched = await client.ok("PATCH", path, {"metadata": {"annotations": {"of-status": "4"}}, "status": row.status})
    _contains(patched["status"], row.status)
    got = await client.ok("GET", path)
    got["metadata"].setdefault("annotations", {})["replaced"] = "5"
    replaced = await client.ok("PUT", path, got)
    _contains(replaced["status"], row.status)
    applied = await _apply(client, path, replaced, {"status": row.status})
    _contains(applied["status"], row.status)


async def _apply(client: Client, path: str, known: Object, part: Object) -> Object:
    body = {"apiVersion": known["apiVersion"], "kind": known["kind"], **part}
    body["metadata"] = {"name": known["metadata"]["name"], **part.get("metadata", {})}
    return await client.ok("PATCH", path, body, content="application/apply-patch+yaml", fieldManager="t", force="true")


def _contains(whole: Any, part: Any) -> None:
    """Every value of `part` is in `whole`; None asks for nothing."""
    if isinstance(part, dict):
        for key, value in part.items():
            if value is not None:
                _contains(whole[key], value)
    elif isinstance(part, list):
        assert len(whole) == len(part)
        for mine, wanted in zip(whole, part, strict=True):
            _contains(mine, wanted)
    else:
        assert whole == part


def test_the_status_of_a_flow_schema_is_apart(api: RunningApi, life: None) -> None:
    """The server itself writes a condition there, of another type."""
    row, condition = KINDS["FlowSchema"], {"type": "E2E", "status": "True", "reason": "Set", "message": "from a test"}
    path = f"{row.path}/stated"

    def stated(obj: Object) -> list[Object]:
        return [each for each in obj["status"]["conditions"] if each["type"] == "E2E"]

    async def test(client: Client) -> None:
        await client.ok("POST", row.path, {"metadata": {"name": "stated"}, **row.body})
        patch = {"spec": {"matchingPrecedence": 1}, "status": {"conditions": [condition]}}
        patched = await client.ok("PATCH", f"{path}/status", patch)
        assert stated(patched)[0].items() >= condition.items()
        assert patched["spec"]["matchingPrecedence"] == row.body["spec"]["matchingPrecedence"]
        got = await client.ok("GET", f"{path}/status")
        for each in stated(got):
            each["message"] = "replaced"
        del got["metadata"]["resourceVersion"]
        replaced = await client.ok("PUT", f"{path}/status", got)
        assert stated(replaced)[0]["message"] == "replaced"
        whole = await client.ok("PATCH", path, {"status": {"conditions": []}})
        assert stated(whole)[0]["message"] == "replaced", "not by the main resource"
        await client.ok("DELETE", path)

    run(api, test)


def test_empty_keys_are_refused(api: RunningApi, life: None) -> None:
    async def test(client: Client) -> None:
        for resource, value in (("configmaps", "v"), ("secrets", "dg==")):
            status, answer = await client.call(
                "POST", _core(resource), {"metadata": {"name": "e"}, "data": {"": value}}
            )
            assert (status, answer["reason"]) == (422, "Invalid")

    run(api, test)


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_immutable_objects_stay(api: RunningApi, life: None, resource: str) -> None:
    path = f"{_core(resource)}/fixed"

    async def test(client: Client) -> None:
        await client.ok("POST", _core(resource), {"metadata": {"name": "fixed"}, "data": {"k": "dg=="}})
        await client.ok("PATCH", path, {"data": {"k": "dw=="}})
        await client.ok("PATCH", path, {"immutable": True})
        for change in ({"immutable": False}, {"immutable": None}, {"data": {"k": "eA=="}}, {"data": {"k": None}}):
            status, answer = await client.call("PATCH", path, change)
            assert (status, answer["reason"]) == (422, "Invalid"), change
        await client.ok("PATCH", path, {"metadata": {"labels": {"still": "free"}}})
        await client.ok("DELETE", path)

    run(api, test)


def test_a_template_of_claims_stays(api: RunningApi, life: None) -> None:
    templates = _group("resource.k8s.io", "resourceclaimtemplates", namespaced=True)
    other = {"devices": {"requests": [{**_REQUEST["devices"]["requests"][0], "name": "other"}]}}

    async def test(client: Client) -> None:
        await client.ok("POST", templates, {"metadata": {"name": "fixed"}, "spec": {"spec": _REQUEST}})
        status, answer = await client.call("PATCH", f"{templates}/fixed", {"spec": {"spec": other}})
        assert status == 422 and "field is immutable" in answer["message"]
        await client.ok("DELETE", f"{templates}/fixed")

    run(api, test)


def test_invalid_sysctls_are_named(api: RunningApi, life: None) -> None:
    names = ("foo-", "kernel.shmmax", "safe-and-unsafe", "bar..")
    spec = {
        "containers": [{"name": "c", "image": "i"}],
        "securityContext": {"sysctls": [{"name": each, "value": "1"} for each in names]},
    }

    async def test(client: Client) -> None:
        status, answer = await client.call("POST", _core("pods"), {"metadata": {"name": "s"}, "spec": spec})
        assert status == 422
        said = answer["message"]
        assert 'Invalid value: "foo-"' in said and 'Invalid value: "bar.."' in said
        assert "kernel.shmmax" not in said and "safe-and-unsafe" not in said

    run(api, test)


def test_classes_that_are_not_there_are_refused_and_others_bring_their_overhead(api: RunningApi, life: None) -> None:
    def pod(name: str, handler: str) -> Object:
        return {
            "metadata": {"name": name},
            "spec": {"runtimeClassName": handler, "containers": [{"name": "c", "image": "i"}]},
        }

    async def test(client: Client) -> None:
        status, answer = await client.call("POST", _core("pods"), pod("none", "none"))
        assert (status, answer["reason"]) == (403, "Forbidden")
        classes = KINDS["RuntimeClass"].path
        fixed = {"cpu": "10m", "memory": "1Mi"}
        body = {"metadata": {"name": "heavy"}, "handler": "h", "overhead": {"podFixed": fixed}}
        await client.ok("POST", classes, body)
        await client.ok("POST", classes, {"metadata": {"name": "light"}, "handler": "h"})
        assert (await client.ok("POST", _core("pods"), pod("heavy", "heavy")))["spec"]["overhead"] == fixed
        assert "overhead" not in (await client.ok("POST", _core("pods"), pod("light", "light")))["spec"]
        await client.ok("DELETE", f"{classes}/heavy")
        assert (await client.call("POST", _core("pods"), pod("late", "heavy")))[0] == 403

    run(api, test)


def test_generations_of_pods_count_changes_of_their_spec(api: RunningApi, life: None) -> None:
    """One per update of the spec and for a graceful deletion; none for metadata, and not the creator's."""

    async def test(client: Client) -> None:
        path = f"{_core('pods')}/gen"
        spec = {
            "containers": [{"name": "c", "image": "i"}],
            "nodeName": "n",
            "tolerations": [{"key": "a", "operator": "Exists"}],
        }
        meta = {"name": "gen", "generation": 100, "finalizers": ["example.com/t"]}
        made = await client.ok("POST", _core("pods"), {"metadata": meta, "spec": spec})
        assert made["metadata"]["generation"] == 1
        changes: list[tuple[str, Object, int]] = [
            ("", {"metadata": {"labels": {"a": "b"}}}, 1),
            ("", {"spec": {"activeDeadlineSeconds": 5000}}, 2),
            ("", {"spec": {"tolerations": [*spec["tolerations"], {"key": "b", "operator": "Exists"}]}}, 3),
            ("/ephemeralcontainers", {"spec": {"ephemeralContainers": [{"name": "e", "image": "i"}]}}, 4),
            ("/status", {"status": {"message": "m"}}, 4),
            ("", {"spec": {"activeDeadlineSeconds": 5000}}, 4),
        ]
        for subresource, change, generation in changes:
            answer = await client.ok("PATCH", path + subresource, change)
            assert answer["metadata"]["generation"] == generation, change
        await client.ok("DELETE", path)
        assert (await client.ok("GET", path))["metadata"]["generation"] == 5

    run(api, test)


def test_a_pods_class_of_service_is_set_at_once(api: RunningApi, life: None) -> None:
    amounts = {"cpu": "100m", "memory": "100Mi"}
    resources = {"requests": amounts, "limits": amounts}

    async def test(client: Client) -> None:
        spec = {"containers": [{"name": "c", "image": "i", "resources": resources}]}
        made = await client.ok("POST", _core("pods"), {"metadata": {"name": "qos"}, "spec": spec})
        assert made["status"]["qosClass"] == "Guaranteed"

    run(api, test)


def test_pods_may_ask_for_volumes_of_drivers(api: RunningApi, life: None) -> None:
    async def test(client: Client) -> None:
        spec = {
            "containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            "volumes": [{"name": "v", "csi": {"driver": "e2e.example.com"}}],
        }
        path = _core("pods")
        await client.ok("POST", path, {"metadata": {"name": "csi", "labels": {"csi": "yes"}}, "spec": spec})
        listed = await client.ok("GET", path, labelSelector="csi=yes")
        assert listed["items"][0]["spec"]["volumes"][0] == spec["volumes"][0]
        await client.ok("DELETE", f"{path}/csi", {"gracePeriodSeconds": 0})
        assert (await client.call("GET", f"{path}/csi"))[0] == 404

    run(api, test)
