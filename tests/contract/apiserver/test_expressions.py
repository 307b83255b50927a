"""Expressions through the API: rules of custom resources, policies that validate and policies that mutate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from calls import Client, Object, run

from apiserver_fixture import RunningApi

REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEPLOYMENTS = {
    "operations": ["CREATE", "UPDATE"],
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "resources": ["deployments"],
}


def deployment(name: str, replicas: int = 1) -> Object:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def constraints(space: str) -> Object:
    selected = {"matchLabels": {"kubernetes.io/metadata.name": space}}
    return {"resourceRules": [DEPLOYMENTS], "namespaceSelector": selected}


async def bound(client: Client, kind: str, name: str, spec: Object, **binding: Any) -> Object:
    """A policy and its binding; the policy as it was stored."""
    made = await client.ok("POST", f"{REGISTRATION}/{kind}policies", {"metadata": {"name": name}, "spec": spec})
    body = {"metadata": {"name": name}, "spec": {"policyName": name, **binding}}
    await client.ok("POST", f"{REGISTRATION}/{kind}policybindings", body)
    return made


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Policies come into force a moment after they are stored."""
    for _ in range(3000):
        if await look():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass in a minute")


def test_a_validating_policy_refuses_deployments(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        await client.namespace(space)
        path = f"/apis/apps/v1/namespaces/{space}/deployments"
        spec = {
            "matchConstraints": constraints(space),
            "variables": [{"name": "replicas", "expression": "object.spec.replicas"}],
            "validations": [
                {
                    "expression": "variables.replicas > 1",
                    "messageExpression": "'wants replicas > 1, got ' + string(variables.replicas)",
                }
            ],
        }
        await bound(client, "validatingadmission", f"v-{space}", spec, validationActions=["Deny"])

        async def refused() -> bool:
            status, _ = await client.call("POST", path, deployment("marker"), dryRun="All")
            return status == 422

        await until(refused)
        status, answer = await client.call("POST", path, deployment("one"))
        told = (
            f"ValidatingAdmissionPolicy 'v-{space}' with binding 'v-{space}' denied request: wants replicas > 1, got 1"
        )
        assert answer["message"] == f'deployments.apps "one" is forbidden: {told}'
        await client.ok("POST", path, deployment("two", 2))
        status, _ = await client.call("PATCH", f"{path}/two", {"spec": {"replicas": 1}})
        assert status == 422

    run(api, test)


def test_a_mutating_policy_changes_deployments(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        await client.namespace(space)
        path = f"/apis/apps/v1/namespaces/{space}/deployments"
        configuration = """
            Object{
              metadata: Object.metadata{annotations: {"mutated-by": "admission-policy"}},
              spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
                initContainers: [Object.spec.template.spec.initContainers{name: "first", image: "init"}]}}}
            }"""
        patch = "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'replicas': string(object.spec.replicas)}}]"
        spec = {
            "matchConstraints": constraints(space),
            "reinvocationPolicy": "Never",
            "mutations": [
                {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": configuration}},
                {"patchType": "JSONPatch", "jsonPatch": {"expression": patch}},
            ],
        }
        await bound(client, "mutatingadmission", f"m-{space}", spec)

        async def changed() -> bool:
            _, made = await client.call("POST", path, deployment("marker", 3), dryRun="All")
            return "annotations" in made["metadata"]

        await until(changed)
        made = await client.ok("POST", path, deployment("web", 3))
        assert made["metadata"]["annotations"]["mutated-by"] == "admission-policy"
        assert made["metadata"]["labels"] == {"replicas": "3"}
        first = made["spec"]["template"]["spec"]["initContainers"][0]
        assert (first["name"], first["image"], first["imagePullPolicy"]) == ("first", "init", "Always")

    run(api, test)


def test_policies_see_the_version_that_they_name(api: RunningApi, space: str) -> None:
    def scaler(name: str) -> Object:
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 5,
            "targetCPUUtilizationPercentage": 70,
        }
        return {"metadata": {"name": name}, "spec": spec}

    async def test(client: Client) -> None:
        await client.namespace(space)
        path = f"/apis/autoscaling/v1/namespaces/{space}/horizontalpodautoscalers"
        rule = {**DEPLOYMENTS, "apiGroups": ["autoscaling"], "apiVersions": ["v2"]}
        where = {**constraints(space), "resourceRules": [{**rule, "resources": ["horizontalpodautoscalers"]}]}
        few = "object.spec.metrics[0].resource.target.averageUtilization < 90 && request.kind.version == 'v2'"
        requested = "request.requestKind.version == 'v1'"
        validations = [{"expression": f"{few} && {requested}"}, {"expression": "object.spec.minReplicas == 3"}]
        minimum = {
            "patchType": "ApplyConfiguration",
            "applyConfiguration": {"expression": "Object{spec: Object.spec{minReplicas: 3}}"},
        }
        mutating = {"matchConstraints": where, "reinvocationPolicy": "Never", "mutations": [minimum]}
        await bound(client, "mutatingadmission", f"e-{space}", mutating)
        validating = {"matchConstraints": where, "validations": validations}
        await bound(client, "validatingadmission", f"e-{space}", validating, validationActions=["Deny"])

        async def changed() -> bool:
            _, made = await client.call("POST", path, scaler("marker"), dryRun="All")
            return bool(made.get("spec", {}).get("minReplicas") == 3)

        await until(changed)
        made = await client.ok("POST", path, scaler("web"))
        assert (made["spec"]["minReplicas"], made["spec"]["targetCPUUtilizationPercentage"]) == (3, 70)
        costly = scaler("hot")
        costly["spec"]["targetCPUUtilizationPercentage"] = 95
        status, answer = await client.call("POST", path, costly)
        assert status == 422
        assert few in answer["message"]

    run(api, test)


@pytest.mark.parametrize(
    ("kind", "spec", "where", "why"),
    [
        (
            "mutatingadmission",
            {
                "reinvocationPolicy": "Never",
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[1]"}}],
            },
            "spec.mutations[0].jsonPatch.expression",
            'Invalid value: "[1]": must evaluate to list(JSONPatch) but got list(int)',
        ),
        (
            "mutatingadmission",
            {
                "reinvocationPolicy": "Never",
                "mutations": [
                    {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "JSONPatch{path: 1}"}}
                ],
            },
            "spec.mutations[0].applyConfiguration.expression",
            'Invalid value: "JSONPatch{path: 1}": compilation failed: ERROR: <input>:1:15: expected type of field '
            "'path' is 'string' but provided type is 'int'\n | JSONPatch{path: 1}\n | ..............^",
        ),
        (
            "validatingadmission",
            {"validations": [{"expression": "request.operation"}]},
            "spec.validations[0].expression",
            'Invalid value: "request.operation": must evaluate to bool but got string',
        ),
        (
            "validatingadmission",
            {"validations": [{"expression": "request.nothing == ''"}]},
            "spec.validations[0].expression",
            "Invalid value: \"request.nothing == ''\": compilation failed: ERROR: <input>:1:8: undefined field 'nothing'\n"
            " | request.nothing == ''\n | .......^",
        ),
        (
            "validatingadmission",
            {
                "validations": [
                    {"expression": "true", "messageExpression": "authorizer.path('/').check('get').reason()"}
                ]
            },
            "spec.validations[0].messageExpression",
            None,
        ),
    ],
)
def test_expressions_that_can_not_be_are_refused(
    api: RunningApi, space: str, kind: str, spec: Object, where: str, why: str | None
) -> None:
    async def test(client: Client) -> None:
        body = {"metadata": {"name": f"r-{space}"}, "spec": {"matchConstraints": constraints(space), **spec}}
        status, answer = await client.call("POST", f"{REGISTRATION}/{kind}policies", body)
        assert status == 422
        cause = answer["details"]["causes"][0]
        assert cause["field"] == where
        if why is None:
            assert "undeclared reference to 'authorizer'" in cause["message"]
        else:
            assert cause["message"] == why

    run(api, test)


def definition(group: str, rules: list[Object], **properties: Any) -> Object:
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": rules}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    return {
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Cluster", "names": names, "versions": [version]},
    }


def test_rules_know_the_types_of_their_schema(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        group = f"{space}.test"
        rules: list[Object] = [
            {"rule": "self.from < self.to && self.from > timestamp('2000-01-01T00:00:00Z')", "message": "order"},
            {"rule": "self.pause <= duration('1h')", "messageExpression": "'too long: %s'.format([self.pause])"},
            {
                "rule": "!oldSelf.hasValue() || self.size__dash__max >= oldSelf.value().size__dash__max",
                "message": "only up",
                "optionalOldSelf": True,
            },
        ]
        times = {"type": "string", "format": "date-time"}
        properties = {
            "from": times,
            "to": times,
            "pause": {"type": "string", "format": "duration"},
            "size-max": {"type": "integer"},
        }
        await client.ok("POST", DEFINITIONS, definition(group, rules, **properties))
        path = f"/apis/{group}/v1/things"

        async def served() -> bool:
            return (await client.send("GET", path)).status == 200

        await until(served)

        def thing(**spec: Any) -> Object:
            made = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T05:00:00+04:00", "pause": "5m", "size-max": 3}
            return {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {**made, **spec}}

        status, answer = await client.call("POST", path, thing(to="2025-12-31T23:00:00Z", pause="2h"))
        assert status == 422
        assert [each["message"] for each in answer["details"]["causes"]] == [
            'Invalid value: "object": order',
            'Invalid value: "object": too long: 7200s',
        ]
        await client.ok("POST", path, thing())
        status, answer = await client.call("PATCH", f"{path}/t", {"spec": {"size-max": 2}})
        assert status == 422
        assert answer["details"]["causes"][0]["message"] == 'Invalid value: "object": only up'
        await client.ok("PATCH", f"{path}/t", {"spec": {"size-max": 4}})

    run(api, test)


def test_what_a_new_rule_finds_wrong_with_what_is_there_is_a_warning(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        group = f"{space}.test"
        size = {"size": {"type": "integer"}}
        await client.ok("POST", DEFINITIONS, definition(group, [], **size))
        path = f"/apis/{group}/v1/things"

        async def served() -> bool:
            return (await client.send("GET", path)).status == 200

        await until(served)
        thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"size": 9}}
        await client.ok("POST", path, thing)
        rules = [{"rule": "self.size < 5", "message": "too large"}]
        change = {"spec": {"versions": definition(group, rules, **size)["spec"]["versions"]}}
        await client.ok("PATCH", f"{DEFINITIONS}/things.{group}", change)

        async def in_force() -> bool:
            return (await client.call("POST", path, {**thing, "metadata": {"name": "u"}}, dryRun="All"))[0] == 422

        await until(in_force)
        answer = await client.send("PATCH", f"{path}/t", {"metadata": {"labels": {"a": "b"}}})
        assert answer.status == 200
        warned = [text for name, text in answer.headers if name.lower() == "warning"]
        assert warned == ['299 - "spec: Invalid value: \\"object\\": too large"']
        assert (await client.send("PATCH", f"{path}/t", {"spec": {"size": 8}})).status == 422

    run(api, test)


def test_rules_that_could_cost_too_much_are_refused(api: RunningApi, space: str) -> None:
    async def test(client: Client) -> None:
        names = {"type": "array", "items": {"type": "string"}}
        body = definition(f"{space}.test", [{"rule": "self.a.all(x, self.b.exists(y, x == y))"}], a=names, b=names)
        status, answer = await client.call("POST", DEFINITIONS, body)
        assert status == 422
        told = [(each["field"].rpartition("x-kubernetes")[2], each["message"]) for each in answer["details"]["causes"]]
        advice = (
            "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
            "are declared)"
        )
        total = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        assert told == [
            (
                "-validations[0].rule",
                f"Forbidden: estimated rule cost exceeds budget by factor of more than 100x {advice}",
            ),
            (
                "-validations[0].rule",
                "Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
            ),
            (
                "spec.validation.openAPIV3Schema",
                f"Forbidden: {total} exceeds budget by factor of more than 100x {advice}",
            ),
        ]
        bounded = {"type": "array", "maxItems": 50, "items": {"type": "string", "maxLength": 100}}
        body = definition(f"{space}.test", [{"rule": "self.a.all(x, self.b.exists(y, x == y))"}], a=bounded, b=bounded)
        await client.ok("POST", DEFINITIONS, body)

    run(api, test)
