from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from admission_world import World, pod
from fake_lister import obj

API = "admissionregistration.k8s.io/v1"
PODS = {"operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
Object = dict[str, Any]


def configuration(expression: str) -> Object:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def json_patch(expression: str) -> Object:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def policy(*mutations: Object, name: str = "p", **spec: Any) -> list[Object]:
    """A policy with its binding."""
    constraints = {"resourceRules": [PODS]}
    made = {"matchConstraints": constraints, "mutations": list(mutations), "reinvocationPolicy": "Never", **spec}
    bound = {"policyName": name, **spec.pop("binding", {})}
    made.pop("binding", None)
    return [
        obj("MutatingAdmissionPolicy", name, api_version=API, spec=made),
        obj("MutatingAdmissionPolicyBinding", f"{name}-b", api_version=API, spec=bound),
    ]


def labels(made: Object) -> Object:
    found: Object = made["metadata"].get("labels", {})
    return found


LABEL = configuration("Object{metadata: Object.metadata{labels: {'by': 'policy'}}}")


def test_an_apply_configuration_is_merged() -> None:
    sidecar = configuration(
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'mesh', image: 'mesh:1'}, "
        "Object.spec.containers{name: 'c', imagePullPolicy: 'Always'}]}}"
    )
    made = World(*policy(LABEL, sidecar)).admit(pod())
    assert labels(made) == {"by": "policy"}
    by_name = {each["name"]: each for each in made["spec"]["containers"]}
    assert by_name["mesh"]["image"] == "mesh:1"
    assert (by_name["c"]["image"], by_name["c"]["imagePullPolicy"]) == ("app:1", "Always")


def test_the_object_is_changed_in_place() -> None:
    world = World(*policy(LABEL))
    attributes = world.attributes(pod())
    held = attributes.object
    assert held is not None
    asyncio.run(world.pass_through(attributes))
    assert labels(held) == {"by": "policy"}


def test_a_json_patch_is_applied() -> None:
    made = World(
        *policy(
            json_patch(
                "[JSONPatch{op: 'test', path: '/spec/containers/0/name', value: 'c'}, "
                "JSONPatch{op: 'add', path: '/metadata/labels', value: {jsonpatch.escapeKey('a/b'): string(1 + 1)}}, "
                "JSONPatch{op: 'add', path: '/spec/tolerations/-', "
                "value: Object.spec.tolerations{key: 'k', operator: 'Exists'}}]"
            )
        )
    ).admit(pod(tolerations=[]))
    assert labels(made) == {"a~1b": "2"}
    assert {"key": "k", "operator": "Exists"} in made["spec"]["tolerations"]


def test_a_patch_whose_test_fails_changes_nothing() -> None:
    patch = json_patch(
        "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}, "
        "JSONPatch{op: 'test', path: '/spec/containers/0/name', value: 'other'}]"
    )
    assert labels(World(*policy(patch)).admit(pod())) == {}


def test_variables_conditions_and_parameters() -> None:
    mutation = configuration("Object{metadata: Object.metadata{labels: {'n': variables.count, 'p': params.data.p}}}")
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "variables": [{"name": "count", "expression": "string(object.spec.containers.size())"}],
        "matchConditions": [{"name": "m", "expression": "request.operation == 'CREATE' && !has(object.spec.nodeName)"}],
        "binding": {"paramRef": {"name": "cfg", "parameterNotFoundAction": "Deny"}},
    }
    config = obj("ConfigMap", "cfg", "shop", data={"p": "v"})
    world = World(*policy(mutation, **spec), config)
    assert labels(world.admit(pod())) == {"n": "1", "p": "v"}
    assert labels(world.admit(pod(nodeName="a"))) == {}
    assert World(*policy(mutation, **spec)).refusal(pod()) == (
        "policy 'p' with binding 'p-b' denied request: failed to configure binding: "
        "no params found for policy binding with `Deny` parameterNotFoundAction"
    )


def test_mutations_follow_each_other() -> None:
    one = configuration("Object{metadata: Object.metadata{labels: {'n': '1'}}}")
    two = configuration("Object{metadata: Object.metadata{labels: {'m': object.metadata.labels.n + '2'}}}")
    assert labels(World(*policy(one, two)).admit(pod())) == {"n": "1", "m": "12"}
    first, second = policy(one, name="a"), policy(two, name="b")
    assert labels(World(*second, *first).admit(pod())) == {"n": "1", "m": "12"}


@pytest.mark.parametrize(
    ("mutation", "why"),
    [
        (
            configuration("Object{spec: Object.spec{nodeName: object.spec.missing}}"),
            "expression 'Object{spec: Object.spec{nodeName: object.spec.missing}}' resulted in error: "
            "no such key: missing",
        ),
        (
            configuration("Object{spec: Object.wrong{}}"),
            'type mismatch: unexpected type name "Object.wrong", expected "Object.spec", '
            "which matches field name path from root Object type",
        ),
        (
            configuration("Object{spec: Object.spec{bogus: 1}}"),
            "error applying patch: failed to convert patch object to typed object: "
            ".spec.bogus: field not declared in schema",
        ),
        (
            configuration("Object{spec: Object.spec{nodeSelector: {'a': 'b'}}}"),
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: "
            ".spec.nodeSelector",
        ),
        (
            configuration("Object{metadata: Object.metadata{name: 'x'}}"),
            "metadata.name may not be changed by a mutation",
        ),
        (
            json_patch("[JSONPatch{op: 'replace', path: '/kind', value: 'Service'}]"),
            "kind may not be changed by a mutation",
        ),
        (
            json_patch("[JSONPatch{op: 'remove', path: '/spec/nothing'}]"),
            "JSONPath: the server rejected our request due to an error in our request",
        ),
    ],
)
def test_what_can_not_be_done_is_decided_by_the_failure_policy(mutation: Object, why: str) -> None:
    world = World(*policy(mutation))
    assert world.refusal(pod()) == f"policy 'p' with binding 'p-b' denied request: {why}"
    assert (world.error.code, world.error.reason) == (403, "Invalid")
    assert World(*policy(mutation, failurePolicy="Ignore")).admit(pod())["metadata"]["name"] == "web"


def test_policies_come_before_webhooks_and_may_look_once_more() -> None:
    count = configuration("Object{metadata: Object.metadata{labels: {'seen': string(object.spec.containers.size())}}}")
    hook = {
        "name": "h.example.test",
        "clientConfig": {"url": "https://hook"},
        "rules": [PODS],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    hooks = obj("MutatingWebhookConfiguration", "w", api_version=API, webhooks=[hook])

    def add(request: Object) -> Object:
        operation = {"op": "add", "path": "/spec/containers/-", "value": {"name": "two", "image": "x"}}
        patch = base64.b64encode(json.dumps([operation]).encode()).decode()
        response = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
        return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}

    for reinvocation, seen in (("Never", "1"), ("IfNeeded", "2")):
        world = World(*policy(count, reinvocationPolicy=reinvocation), hooks)
        world.hooks["https://hook"] = add
        made = world.admit(pod())
        assert world.reviews[0]["request"]["object"]["metadata"]["labels"] == {"seen": "1"}
        assert labels(made) == {"seen": seen}


def test_a_policy_looks_once_more_at_what_policies_after_it_did() -> None:
    early = configuration(
        "Object{metadata: Object.metadata{labels: {'early': string(has(object.metadata.labels) && 'late' in object.metadata.labels)}}}"
    )
    late = configuration("Object{metadata: Object.metadata{labels: {'late': 'yes'}}}")
    world = World(*policy(early, name="a", reinvocationPolicy="IfNeeded"), *policy(late, name="b"))
    assert labels(world.admit(pod())) == {"early": "true", "late": "yes"}


def test_deletes_are_left_alone() -> None:
    rule = {**PODS, "operations": ["*"]}
    spec = {"matchConstraints": {"resourceRules": [rule]}}
    world = World(*policy(configuration("Object{spec: Object.spec{nodeName: object.nothing}}"), **spec))
    assert world.admit(None, pod()) == {}


def test_expressions_have_a_budget() -> None:
    expression = "Object{metadata: Object.metadata{labels: {'a': string(lists.range(2000).map(x, lists.range(2000).size()).size())}}}"
    assert "cost" in World(*policy(configuration(expression))).refusal(pod())
