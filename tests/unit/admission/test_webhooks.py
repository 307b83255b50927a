import json
from base64 import b64encode

import pytest
from admission_world import World, pod
from fake_lister import obj

from cybernetes.apiserver.admission.webhooks.call import NotAsked

ANYTHING = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
PODS = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
REGISTRATION = "admissionregistration.k8s.io/v1"


def hook(name="check.example.test", rule=None, **rest):
    return {
        "name": name,
        "clientConfig": {"url": f"https://{name}"},
        "rules": [rule or PODS],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        **rest,
    }


def configuration(kind, *hooks, name="hooks"):
    return obj(f"{kind}WebhookConfiguration", name, api_version=REGISTRATION, webhooks=list(hooks))


def answering(**response):
    def answer(request):
        shape = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
        return {**shape, "response": {"uid": request["uid"], "allowed": True, **response}}

    return answer


def patching(*operations):
    return answering(patchType="JSONPatch", patch=b64encode(json.dumps(operations).encode()).decode())


def label(key):
    return {"op": "add", "path": "/metadata/labels", "value": {key: "yes"}}


def world(kind, *hooks, answer=None, **rest):
    made = World(configuration(kind, *hooks), *rest.get("objects", ()))
    for each in hooks:
        made.hooks[each["clientConfig"]["url"]] = answer or answering()
    return made


def unreachable(request):
    raise NotAsked('Post "https://x": connection refused')


def test_a_hook_is_told_what_is_written_and_by_whom():
    made = world("Validating", hook())
    made.admit(pod())
    (review,) = made.reviews
    request = review["request"]
    assert (request["operation"], request["name"], request["namespace"]) == ("CREATE", "web", "shop")
    assert request["kind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    assert request["userInfo"]["username"] == "alice"
    assert request["object"]["spec"]["priority"] == 0
    assert request["oldObject"] is None
    assert request["options"]["kind"] == "CreateOptions"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({"message": "no", "code": 409, "reason": "Conflict"}, 409, ": no"),
        ({"reason": "Nope"}, 400, ": Nope"),
        ({}, 400, " without explanation"),
        ({"code": 200, "message": "no"}, 400, ": no"),
    ],
)
def test_a_refusal_is_passed_on(status, code, message):
    made = world("Validating", hook(), answer=answering(allowed=False, status=status))
    refusal = made.refusal(pod())
    assert refusal == f'admission webhook "check.example.test" denied the request{message}'
    assert made.error.code == code


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (ANYTHING, True),
        ({**PODS, "operations": ["UPDATE"]}, False),
        ({**PODS, "apiGroups": ["apps"]}, False),
        ({**PODS, "apiVersions": ["v2"]}, False),
        ({**PODS, "resources": ["pods/status"]}, False),
        ({**PODS, "resources": ["pods/*"]}, True),
        ({**PODS, "resources": ["*/*"]}, True),
        ({**PODS, "scope": "Cluster"}, False),
        ({**PODS, "scope": "Namespaced"}, True),
    ],
)
def test_rules_choose_writes(rule, asked):
    made = world("Validating", hook(rule=rule))
    made.admit(pod())
    assert bool(made.reviews) is asked


def test_a_subresource_is_matched_by_its_own_name():
    made = world("Validating", hook(rule={**PODS, "operations": ["*"], "resources": ["pods", "pods/status"]}))
    made.admit(pod(), pod(), subresource="status")
    made.admit(pod(), pod(), subresource="resize")
    assert [each["request"]["subResource"] for each in made.reviews] == ["status"]


@pytest.mark.parametrize(
    ("rest", "asked"),
    [
        ({"namespaceSelector": {"matchLabels": {"watched": "yes"}}}, False),
        ({"namespaceSelector": {"matchExpressions": [{"key": "watched", "operator": "DoesNotExist"}]}}, True),
        ({"objectSelector": {"matchLabels": {"app": "web"}}}, False),
        ({"matchConditions": [{"name": "m", "expression": "object.metadata.name == 'web'"}]}, True),
        ({"matchConditions": [{"name": "m", "expression": "request.userInfo.username == 'bob'"}]}, False),
    ],
)
def test_selectors_and_conditions_choose_writes(rest, asked):
    made = world("Validating", hook(**rest))
    made.admit(pod())
    assert bool(made.reviews) is asked


def test_a_hook_that_must_answer_and_does_not_refuses_the_write():
    made = world("Validating", hook(), answer=unreachable)
    assert made.refusal(pod()) == (
        'Internal error occurred: failed calling webhook "check.example.test": '
        'failed to call webhook: Post "https://x": connection refused'
    )
    assert made.error.code == 500


def test_a_hook_that_need_not_answer_is_noted():
    made = world("Mutating", hook(failurePolicy="Ignore"), answer=unreachable)
    assert made.admit(pod())
    open_ = "failed-open.mutation.webhook.admission.k8s.io/round_0_index_0"
    assert made.annotations[open_] == "check.example.test"


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: {"kind": "Other"},
        lambda request: {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"},
        answering(uid="another"),
        answering(patchType="Other", patch="W10="),
        answering(patchType="JSONPatch", patch="%%%"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(answer):
    assert "failed calling webhook" in world("Mutating", hook(), answer=answer).refusal(pod())


@pytest.mark.parametrize(
    ("accepted", "told"),
    [(["v1beta1"], "v1beta1"), (["v2", "v1beta1", "v1"], "v1beta1"), (["v1", "v1beta1"], "v1")],
)
def test_a_hook_is_asked_in_the_first_version_that_it_reads_and_we_know(accepted, told):
    made = world("Validating", hook(admissionReviewVersions=accepted), answer=lambda request: {})
    made.refusal(pod())
    assert [each["apiVersion"] for each in made.reviews] == [f"admission.k8s.io/{told}"]


def test_answers_of_the_older_version_need_less():
    patch = b64encode(json.dumps([label("patched")]).encode()).decode()
    answer = {"response": {"allowed": True, "patch": patch}}
    made = world("Mutating", hook(admissionReviewVersions=["v1beta1"]), answer=lambda request: answer)
    assert made.admit(pod())["metadata"]["labels"] == {"patched": "yes"}
    made = world("Validating", hook(admissionReviewVersions=["v1beta1"]), answer=lambda request: answer)
    assert made.admit(pod())
    other = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", **answer}
    for each in (other, {}):
        made = world("Mutating", hook(admissionReviewVersions=["v1beta1"]), answer=lambda request, each=each: each)
        assert "received invalid webhook response" in made.refusal(pod())


def test_patches_change_the_object_before_it_is_validated():
    made = world("Mutating", hook(), answer=patching(label("patched")))
    assert made.admit(pod())["metadata"]["labels"] == {"patched": "yes"}


def test_each_hook_sees_what_those_before_it_made_and_may_be_asked_again():
    first = hook("a.example.test", reinvocationPolicy="IfNeeded")
    second = hook("b.example.test")
    made = world("Mutating", first, second)
    made.hooks["https://b.example.test"] = patching(label("b"))
    made.admit(pod())
    seen = [each["request"]["object"]["metadata"].get("labels") for each in made.reviews]
    assert seen == [None, None, {"b": "yes"}]


def test_what_hooks_add_is_completed_by_the_plugins_before_them():
    account = obj("ServiceAccount", "default", "shop")
    sidecar = {"op": "add", "path": "/spec/containers/-", "value": {"name": "side", "image": "side:1"}}
    made = world("Mutating", hook(), answer=patching(sidecar), objects=[account])
    first, second = made.admit(pod())["spec"]["containers"]
    assert [each["mountPath"] for each in second["volumeMounts"]] == [
        each["mountPath"] for each in first["volumeMounts"]
    ]
    assert len(made.reviews) == 1


def test_a_second_look_of_all_plugins_changes_nothing_more():
    labelled = pod(priorityClassName="high", nodeName="n1")
    high = obj("PriorityClass", "high", api_version="scheduling.k8s.io/v1", value=7)
    plain = world("Mutating", objects=[high])
    again = world("Mutating", hook(), answer=patching(label("seen")), objects=[high])
    made, twice = plain.admit(labelled), again.admit(labelled)
    assert twice["metadata"].pop("labels") == {"seen": "yes"}
    for each in (made, twice):
        # Volumes of tokens have random names.
        each["spec"].pop("volumes")
        for container in each["spec"]["containers"]:
            container["volumeMounts"] = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert twice == {**made, "metadata": twice["metadata"]}


def test_a_hook_that_changed_nothing_makes_nobody_look_again():
    made = world(
        "Mutating",
        hook(reinvocationPolicy="IfNeeded"),
        answer=patching({"op": "test", "path": "/kind", "value": "Pod"}),
    )
    made.admit(pod())
    assert len(made.reviews) == 1


def test_what_a_hook_makes_of_a_pod_is_judged_like_the_pod_itself():
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    closed = obj("Namespace", "shop", metadata={"labels": labels}, status={"phase": "Active"})
    opened = {"op": "add", "path": "/spec/hostNetwork", "value": True}
    made = world("Mutating", hook(), answer=patching(opened), objects=[closed])
    assert "violates PodSecurity" in made.refusal(pod())


def test_warnings_and_annotations_are_passed_on():
    made = world("Validating", hook(), answer=answering(warnings=["careful"], auditAnnotations={"k": "v"}))
    made.admit(pod())
    assert made.warnings == ["careful"]
    assert made.annotations["check.example.test/k"] == "v"


def test_a_dry_run_asks_only_hooks_without_side_effects():
    assert world("Validating", hook(sideEffects="NoneOnDryRun")).admit(pod(), dry_run=True)
    refusal = world("Validating", hook(sideEffects="Some")).refusal(pod(), dry_run=True)
    assert refusal == 'admission webhook "check.example.test" does not support dry run'


def test_hooks_do_not_judge_configurations_of_hooks():
    made = world("Validating", hook(rule=ANYTHING), answer=answering(allowed=False))
    assert made.admit(configuration("Mutating", name="other"))


def test_a_configuration_that_is_gone_asks_nobody():
    made = world("Validating", hook(), answer=answering(allowed=False))
    made.lister.remove(configuration("Validating"))
    assert made.admit(pod())
