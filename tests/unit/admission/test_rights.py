"""The variable `authorizer` of expressions about writes."""

from __future__ import annotations

import asyncio
from typing import Any

from admission_world import World, pod
from fake_lister import obj

from cybernetes.apiserver.admission.scope import Rights, decided
from cybernetes.auth.asking import answer
from cybernetes.auth.authz import Attributes, Decision, Verdict
from cybernetes.model.expressions import places
from cybernetes.model.selector import parse_labels


class Remote:
    """An authorizer on another server: its answer must be fetched."""

    def __init__(self) -> None:
        self.asked: list[Attributes] = []

    def decide(self, attributes: Attributes) -> Decision:
        async def fetch() -> bool:
            self.asked.append(attributes)
            await asyncio.sleep(0)
            return attributes.verb == "get"

        allowed = answer(str(attributes), fetch)
        return Decision(Verdict.ALLOW if allowed else Verdict.NO_OPINION, "remote")


def test_answers_may_come_from_other_servers() -> None:
    remote = Remote()
    values = Rights(remote).variables(World().attributes(pod()))
    checks = (
        "authorizer.group('').resource('pods').namespace('shop').fieldSelector('spec.nodeName=a,status.phase!=Failed')"
        ".labelSelector('x in (y)').check('get').allowed()"
        " && !authorizer.serviceAccount('shop', 'robot').path('/metrics').check('post').allowed()"
        " && authorizer.requestResource.check('get').reason() == 'remote'"
    )
    program = places.admission().compile(checks)

    async def main() -> Any:
        return await decided(lambda: program.evaluate(values, limit=10**7)[0])

    assert asyncio.run(main()) is True
    pods, path, own = remote.asked
    assert pods.field_selector == (("spec.nodeName", "a"),)
    assert pods.field_exclusions == (("status.phase", "Failed"),)
    assert pods.label_selector == parse_labels("x in (y)")
    assert (path.user.name, path.path, path.is_resource) == ("system:serviceaccount:shop:robot", "/metrics", False)
    assert (own.resource, own.name, own.namespace) == ("pods", "web", "shop")


def test_a_selector_that_can_not_be_read_is_an_error_of_the_check() -> None:
    values = Rights(Remote()).variables(World().attributes(pod()))
    check = "authorizer.group('').resource('pods').fieldSelector('nonsense').check('list')"
    program = places.admission().compile(f"{check}.errored() && !{check}.allowed() ? {check}.error() : ''")
    assert program.evaluate(values, limit=10**7)[0] == "invalid selector: 'nonsense'; can't understand 'nonsense'"


def test_conditions_of_webhooks_may_ask_for_rights() -> None:
    hook = {
        "name": "h.example.test",
        "clientConfig": {"url": "https://hook"},
        "rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "matchConditions": [
            {"name": "rights", "expression": "!authorizer.requestResource.check('breakglass').allowed()"},
            {"name": "where", "expression": "namespaceObject.metadata.name == 'shop' && request.name != 'spared'"},
        ],
    }

    def world(**changes: Any) -> World:
        hooks = obj("ValidatingWebhookConfiguration", "w", api_version="admissionregistration.k8s.io/v1")
        hooks["webhooks"] = [{**hook, **changes}]
        made = World(hooks)
        response = {"allowed": False, "status": {"message": "no"}}
        made.hooks["https://hook"] = lambda request: {
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "response": {"uid": request["uid"], **response},
        }
        return made

    assert world().refusal(pod()).endswith("denied the request: no")
    assert world().admit(pod("spared"))
    broken = {"matchConditions": [{"name": "b", "expression": "object.nothing == 1"}]}
    assert world(**broken).refusal(pod()) == (
        "pods \"web\" is forbidden: expression 'object.nothing == 1' resulted in error: no such key: nothing"
    )
    assert world(**broken, failurePolicy="Ignore").admit(pod())
