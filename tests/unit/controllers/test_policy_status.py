from __future__ import annotations

from typing import Any

import pytest
import virtual
from world import World

from cybernetes.base.clock import SystemClock
from cybernetes.client.api import ApiClient
from cybernetes.controllers.policystatus.loop import PolicyStatusController
from cybernetes.controllers.policystatus.schemas import Schemas
from cybernetes.model.expressions.type_checking import Kind
from cybernetes.wire.http.message import Request, Response

Object = dict[str, Any]
DEPLOYMENTS = {"operations": ["CREATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}


def policy(*validations: Object, rule: Object = DEPLOYMENTS, **spec: Any) -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p", "generation": 2},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": list(validations), **spec},
    }


def status(obj: Object) -> Object:
    found: Object = {}

    async def main() -> None:
        w = World(PolicyStatusController)
        w.api.put("validatingadmissionpolicies", obj)
        async with w.running():
            await w.settle()
        found.update(w.api.all("validatingadmissionpolicies")[0]["status"])

    virtual.run(main())
    return found


def test_what_is_right_is_told_to_be_checked() -> None:
    rules = (
        {"expression": "object.spec.replicas > 1 && object.metadata.labels['a'] == 'b'"},
        {"expression": "object.spec.template.spec.containers.all(c, c.image.startsWith('a'))"},
        {"expression": "variables.n > 1 && authorizer.group('').resource('pods').check('get').allowed()"},
        {"expression": "object.metadata.creationTimestamp < timestamp('2026-01-01T00:00:00Z')"},
        {"expression": "string(object.spec.strategy.rollingUpdate.maxSurge) == '1'"},
    )
    found = status(policy(*rules, variables=[{"name": "n", "expression": "object.spec.replicas"}]))
    assert found == {"observedGeneration": 2, "typeChecking": {}}


def test_what_is_wrong_is_told_for_each_kind() -> None:
    rule = {**DEPLOYMENTS, "resources": ["statefulsets", "deployments", "deployments/scale"]}
    wrong = {"expression": "object.spec.replicas > '1'", "messageExpression": "'got ' + object.spec.replicas"}
    found = status(policy(wrong, rule=rule))["typeChecking"]["expressionWarnings"]
    assert [each["fieldRef"] for each in found] == [
        "spec.validations[0].expression",
        "spec.validations[0].messageExpression",
    ]
    shown = (
        "ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n"
        " | object.spec.replicas > '1'\n | .....................^\n"
    )
    assert found[0]["warning"] == f"apps/v1, Kind=Deployment: {shown}\napps/v1, Kind=StatefulSet: {shown}"
    assert "'_+_' applied to '(string, int)'" in found[1]["warning"]


def test_fields_that_are_not_there_are_told() -> None:
    found = status(policy({"expression": "object.replicas > 1"}))["typeChecking"]["expressionWarnings"]
    assert found[0]["warning"].startswith("apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n")


def test_wildcards_say_nothing_about_types() -> None:
    rule = {**DEPLOYMENTS, "apiGroups": ["*"]}
    assert status(policy({"expression": "object.replicas > 1"}, rule=rule))["typeChecking"] == {}


class Other:
    """A server behind an APIService, which answers everything with the same words."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def send(self, request: Request) -> Response:
        return Response(200, [], self._body)

    async def close(self) -> None:
        return None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"resources": [{}], "components": 5}', b'{"resources": 5, "components": {"schemas": [5]}}']
)
async def test_what_another_server_tells_of_its_kinds_is_held_to_its_shape(body: bytes) -> None:
    schemas = Schemas(ApiClient(Other(body), user_agent="test", clock=SystemClock()))
    assert await schemas.kind_of("others.example", "v1", "tabs") is None
    assert await schemas.type_of(Kind("others.example", "v1", "Tab")) is None
