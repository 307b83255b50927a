import json

import pytest
from admission_world import World, pod
from fake_lister import obj

API = "admissionregistration.k8s.io/v1"
PODS = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
NO_LATEST = {"expression": "object.spec.containers.all(c, !c.image.endsWith(':latest'))"}


class TestPolicies:
    def world(self, *validations, spec=None, binding=None, objects=()):
        constraints = {"resourceRules": [PODS]}
        made = {"matchConstraints": constraints, "validations": list(validations), **(spec or {})}
        policy = obj("ValidatingAdmissionPolicy", "p", api_version=API, spec=made)
        bound = {"policyName": "p", "validationActions": ["Deny"], **(binding or {})}
        binding = obj("ValidatingAdmissionPolicyBinding", "b", api_version=API, spec=bound)
        return World(*objects, policy, binding)

    def latest(self):
        return pod(containers=[{"name": "c", "image": "app:latest"}])

    def test_what_satisfies_passes_and_what_does_not_is_refused(self):
        world = self.world({**NO_LATEST, "message": "pin the image"})
        assert world.admit(pod())
        assert world.refusal(self.latest()) == (
            "pods \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: pin the image"
        )
        assert (world.error.code, world.error.reason) == (422, "Invalid")
        assert world.error.details["causes"] == [{"message": "pin the image"}]

    @pytest.mark.parametrize(
        ("rest", "message"),
        [
            ({}, f"failed expression: {NO_LATEST['expression']}"),
            ({"messageExpression": "'no ' + object.metadata.name"}, "no web"),
            ({"messageExpression": "object.missing", "message": "plain"}, "plain"),
        ],
    )
    def test_the_message_is_made_of_what_there_is(self, rest, message):
        assert self.world({**NO_LATEST, **rest}).refusal(self.latest()).endswith(message)

    @pytest.mark.parametrize(("reason", "code"), [("Forbidden", 403), ("RequestEntityTooLarge", 413), ("Invalid", 422)])
    def test_the_reason_decides_the_code(self, reason, code):
        world = self.world({**NO_LATEST, "reason": reason})
        world.refusal(self.latest())
        assert (world.error.code, world.error.reason) == (code, reason)

    def test_warn_and_audit_do_not_refuse(self):
        world = self.world({**NO_LATEST, "message": "m"}, binding={"validationActions": ["Warn", "Audit"]})
        assert world.admit(self.latest())
        assert world.warnings == ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': m"]
        record = json.loads(world.annotations["validation.policy.admission.k8s.io/validation_failure"])
        assert record[0]["policy"] == "p"

    def test_an_expression_that_fails_is_decided_by_the_failure_policy(self):
        broken = {"expression": "object.spec.nothing.here == 1"}
        assert "resulted in error" in self.world(broken).refusal(pod())
        assert self.world(broken, spec={"failurePolicy": "Ignore"}).admit(pod())

    def test_variables_and_conditions(self):
        spec = {
            "variables": [{"name": "images", "expression": "object.spec.containers.map(c, c.image)"}],
            "matchConditions": [{"name": "m", "expression": "request.userInfo.username == 'alice'"}],
        }
        rule = {"expression": "variables.images.all(i, i != 'app:latest')"}
        assert "denied request" in self.world(rule, spec=spec).refusal(self.latest())
        spec["matchConditions"][0]["expression"] = "request.userInfo.username == 'bob'"
        assert self.world(rule, spec=spec).admit(self.latest())

    def test_parameters_are_objects_that_the_binding_names(self):
        spec = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
        rule = {"expression": "object.spec.containers.size() <= int(params.data.most)"}
        binding = {"paramRef": {"name": "limits", "parameterNotFoundAction": "Deny"}}
        limits = obj("ConfigMap", "limits", "shop", data={"most": "1"})
        world = self.world(rule, spec=spec, binding=binding, objects=[limits])
        assert world.admit(pod())
        two = [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]
        assert "denied request" in world.refusal(pod(containers=two))
        assert "no params found" in self.world(rule, spec=spec, binding=binding).refusal(pod())
        binding["paramRef"]["parameterNotFoundAction"] = "Allow"
        assert self.world(rule, spec=spec, binding=binding).admit(pod(containers=two))

    def test_a_policy_without_a_binding_and_other_resources_are_left_alone(self):
        world = self.world(NO_LATEST, binding={"policyName": "other"})
        assert world.admit(self.latest())
        never = {"expression": "false"}
        assert self.world(never).admit(obj("ConfigMap", "c", "shop"))

    def test_a_binding_narrows_to_namespaces(self):
        chosen = {"matchResources": {"namespaceSelector": {"matchLabels": {"strict": "yes"}}}}
        assert self.world(NO_LATEST, binding=chosen).admit(self.latest())
        strict = obj("Namespace", "shop", metadata={"labels": {"strict": "yes"}}, status={"phase": "Active"})
        assert "denied request" in self.world(NO_LATEST, binding=chosen, objects=[strict]).refusal(self.latest())
