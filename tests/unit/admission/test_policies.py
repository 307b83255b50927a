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

    def test_expressions_see_the_namespace_and_may_ask_for_rights(self):
        strict = obj("Namespace", "shop", metadata={"labels": {"strict": "yes"}}, status={"phase": "Active"})
        rule = {"expression": "namespaceObject.metadata.labels['strict'] != 'yes'"}
        assert "denied request" in self.world(rule, objects=[strict]).refusal(self.latest())
        check = "authorizer.requestResource.check('approve').allowed()"
        assert "failed expression" in self.world({"expression": check}).refusal(pod())
        other = "authorizer.serviceAccount('shop', 'root').group('').resource('pods').check('get').reason() == ''"
        assert self.world({"expression": other}).admit(pod())

    def test_excluded_rules_and_versions(self):
        never = {"expression": "false"}
        rules = {"resourceRules": [PODS], "excludeResourceRules": [{**PODS, "resourceNames": ["web"]}]}
        world = self.world(never, spec={"matchConstraints": rules})
        assert world.admit(pod())
        assert "denied request" in world.refusal(pod("other"))

    def test_audit_annotations(self):
        annotations = [
            {"key": "images", "valueExpression": "object.spec.containers.map(c, c.image).join(' ')"},
            {"key": "nothing", "valueExpression": "null"},
        ]
        world = self.world({"expression": "true"}, spec={"auditAnnotations": annotations})
        assert world.admit(pod())
        assert world.annotations == {"p/images": "app:1"}
        annotations[1]["valueExpression"] = "object.nothing"
        refused = self.world(spec={"auditAnnotations": annotations}, binding={"validationActions": ["Audit"]})
        assert refused.refusal(pod()).endswith("expression 'object.nothing' resulted in error: no such key: nothing")

    @pytest.mark.parametrize(
        ("expression", "why"),
        [
            ("object.nothing == 1", "expression 'object.nothing == 1' resulted in error: no such key: nothing"),
            (
                "variables.broken == 1",
                "expression 'variables.broken == 1' resulted in error: "
                'composited variable "broken" fails to evaluate: no such key: nothing',
            ),
            (
                "lists.range(2000).all(x, lists.range(2000).all(y, x + y >= 0))",
                "expression 'lists.range(2000).all(x, lists.range(2000).all(y, x + y >= 0))' resulted in error: "
                "operation cancelled: actual cost limit exceeded",
            ),
        ],
    )
    def test_what_can_not_be_evaluated_says_why(self, expression, why):
        spec = {"variables": [{"name": "broken", "expression": "object.nothing"}]}
        world = self.world({"expression": expression}, spec=spec)
        assert world.refusal(pod()).endswith(f"denied request: {why}")

    def test_a_variable_that_fails_harms_only_who_reads_it(self):
        spec = {"variables": [{"name": "broken", "expression": "object.nothing"}]}
        assert self.world({"expression": "true || variables.broken == 1"}, spec=spec).admit(pod())

    def test_all_expressions_of_a_policy_share_a_budget(self):
        costly = {"expression": "lists.range(90000).all(x, x >= 0)"}
        world = self.world(*[costly] * 30)
        assert world.refusal(pod()).endswith(
            "validation failed due to running out of cost budget, no further validation rules will be run"
        )

    @pytest.mark.parametrize(
        ("reference", "why"),
        [
            ({"name": "x"}, "no params found for policy binding with `Deny` parameterNotFoundAction"),
            ({"selector": {}}, "no params found for policy binding with `Deny` parameterNotFoundAction"),
        ],
    )
    def test_bindings_that_name_nothing(self, reference, why):
        spec = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
        binding = {"paramRef": {**reference, "parameterNotFoundAction": "Deny"}, "validationActions": ["Audit"]}
        world = self.world({"expression": "true"}, spec=spec, binding=binding)
        assert world.refusal(pod()).endswith(f"denied request: failed to configure binding: {why}")
        spec["paramKind"] = {"apiVersion": "other/v2", "kind": "Thing"}
        unknown = "failed to find resource referenced by paramKind: 'other/v2, Kind=Thing'"
        assert self.world({"expression": "true"}, spec=spec, binding=binding).refusal(pod()).endswith(unknown)

    def test_each_parameter_is_asked_about(self):
        spec = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
        binding = {"paramRef": {"selector": {"matchLabels": {"a": "b"}}, "parameterNotFoundAction": "Deny"}}
        made = [
            obj("ConfigMap", name, "shop", metadata={"labels": {"a": "b"}}, data={"image": image})
            for name, image in (("one", "app:1"), ("two", "other"))
        ]
        rule = {
            "expression": "object.spec.containers[0].image == params.data.image",
            "messageExpression": "'not ' + params.metadata.name",
        }
        world = self.world(rule, spec=spec, binding=binding, objects=made)
        assert world.refusal(pod()).endswith("denied request: not two")

    def test_the_request_is_seen_with_its_options(self):
        rule = {
            "expression": "request.options.kind == 'CreateOptions' && request.dryRun && !has(request.subResource) "
            "&& request.kind.kind == 'Pod' && request.userInfo.groups.exists(g, g == 'system:authenticated')"
        }
        assert self.world(rule).admit(pod(), dry_run=True)
        assert "failed expression" in self.world(rule).refusal(pod())

    def test_what_is_deleted_is_the_old_object(self):
        rule = {"expression": "object == null && oldObject.metadata.name == 'spared'"}
        rules = {"resourceRules": [{**PODS, "operations": ["DELETE"]}]}
        world = self.world(rule, spec={"matchConstraints": rules})
        assert world.admit(None, pod("spared")) == {}
        assert "denied request" in world.refusal(None, pod())
