"""What rules say, word for word, where the reference shows its own structures or says the same thing twice."""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path
from cybernetes.model.resources.core import nodes
from cybernetes.model.validation.autoscaling import validate_autoscaler
from cybernetes.model.validation.config import validate_config_map
from cybernetes.model.validation.env import validate_file_volumes
from cybernetes.model.validation.events import validate_new_event_update
from cybernetes.model.validation.jobs import validate_job, validate_job_update
from cybernetes.model.validation.limits import validate_resource_quota
from cybernetes.model.validation.networking import validate_ingress_update, validate_new_ingress
from cybernetes.model.validation.pod_resize import validate_resize
from cybernetes.model.validation.pod_update import validate_spec_update
from cybernetes.model.validation.pods import validate_pod_spec
from cybernetes.model.validation.storage import validate_csi_node_update, validate_storage_capacity_update


def words(errors: list[FieldError]) -> list[str]:
    return [f"{each.field}: {each.body}" for each in errors]


def quota(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "quota"}, "spec": spec}


def selecting(scope: str) -> dict[str, Any]:
    return {"matchExpressions": [{"scopeName": scope, "operator": "Exists"}]}


def test_a_taint_is_there_once_for_its_key_and_effect() -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    assert words(nodes.validate_taints([taint, taint], Path("metadata").child("taints"))) == [
        'metadata.taints[1]: Duplicate value: {"Key":"k","Value":"v","Effect":"NoSchedule","TimeAdded":null}: '
        "taints must be unique by key and effect pair"
    ]


def test_a_quota_names_resources_that_quotas_know() -> None:
    assert words(validate_resource_quota(quota(hard={"storage": "1", "bogus": "1", "count/x.y": "1"}))) == [
        'spec.hard[bogus]: Invalid value: "bogus": must be a standard resource type or fully qualified',
        'spec.hard[bogus]: Invalid value: "bogus": must be a standard resource for quota',
        'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota',
    ]
    assert not validate_resource_quota(quota(hard={"requests.hugepages-2Mi": "2Mi", "hugepages-2Mi": "2Mi"}))


def test_the_scope_of_a_quota_has_to_do_with_what_it_counts() -> None:
    hard = {"pods": "1", "secrets": "1"}
    assert words(validate_resource_quota(quota(hard=hard, scopes=["Terminating"]))) == [
        'spec.scopes: Invalid value: ["Terminating"]: unsupported scope applied to resource'
    ]
    assert words(validate_resource_quota(quota(hard=hard, scopeSelector=selecting("BestEffort")))) == [
        "spec.scopeSelector.matchExpressions: Invalid value: "
        '{"MatchExpressions":[{"ScopeName":"BestEffort","Operator":"Exists","Values":null}]}: '
        "unsupported scope applied to resource"
    ]
    assert not validate_resource_quota(
        quota(hard={"persistentvolumeclaims": "1"}, scopeSelector=selecting("VolumeAttributesClass"))
    )


POD = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x", "imagePullPolicy": "Always"}]}
GENERATED = {"batch.kubernetes.io/controller-uid": "u1", "controller-uid": "u1"}
NAMED = {"batch.kubernetes.io/job-name": "job", "job-name": "job"}


def job(labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": labels}, "spec": POD}
    return {"metadata": {"name": "job", "uid": "u1"}, "spec": {"template": template, **spec}}


def about_selectors(errors: list[FieldError]) -> list[str]:
    return [each for each in words(errors) if each.startswith(("spec.selector", "spec.template.metadata"))]


def test_a_job_that_lost_its_selector_selects_nothing() -> None:
    old = job({**GENERATED, **NAMED}, selector={"matchLabels": {"controller-uid": "u1"}})
    twice = 2 * [
        "spec.selector: Required value",
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
    ]
    assert about_selectors(validate_job_update(job({"a": "b"}), old)) == [
        *twice,
        "spec.selector: Invalid value: null: field is immutable",
    ]


def test_a_job_keeps_the_labels_of_no_other_job() -> None:
    old = job({**GENERATED, **NAMED}, selector={"matchLabels": {"controller-uid": "u1"}})
    assert not about_selectors(validate_job(old))
    copied = job({**GENERATED, **NAMED, "job-name": "other"}, selector={"matchLabels": {"controller-uid": "u2"}})
    assert about_selectors(validate_job(copied))[:2] == [
        "spec.template.metadata.labels[job-name]: Invalid value: "
        '{"batch.kubernetes.io/controller-uid":"u1","batch.kubernetes.io/job-name":"job",'
        '"controller-uid":"u1","job-name":"other"}: must be \'job\'',
        'spec.selector: Invalid value: {"matchLabels":{"controller-uid":"u2"}}: `selector` not auto-generated',
    ]
    assert about_selectors(validate_job(job(NAMED, selector={"matchLabels": {}})))[:1] == [
        "spec.template.metadata.labels[controller-uid]: Required value: must be 'u1'"
    ]
    assert not about_selectors(validate_job(job({"a": "b"}, selector={"matchLabels": {"a": "b"}}, manualSelector=True)))


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"image": "i", "name": "c", **container}], "nodeName": "n"}}


def test_what_a_pod_may_not_change_is_shown_with_what_is_around_it() -> None:
    [found] = words(validate_spec_update(pod(command=["z"], image="other"), pod()))
    assert found.startswith("spec: Forbidden: pod updates may not change fields other than ")
    assert found.split("\n")[1:] == [
        "@@ -1,6 +1,9 @@",
        " {",
        '  "containers": [',
        "   {",
        '+   "command": [',
        '+    "z"',
        "+   ],",
        '    "image": "i",',
        '    "name": "c"',
        "   }",
        "",
    ]


def test_a_long_difference_is_cut() -> None:
    [found] = words(validate_spec_update(pod(args=["a"] * 100), pod()))
    assert found.split("\n")[-5:-3] == ["+... 62 more lines", '    "image": "i",']


def sized(cpu: str = "1", *, name: str = "c", **more: Any) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": {"cpu": cpu, "memory": "1Mi", **more}}}


def resized(new: dict[str, Any], old: dict[str, Any], **meta: Any) -> list[str]:
    return words(validate_resize({"metadata": meta, "spec": new}, {"metadata": meta, "spec": old}))


def test_a_resize_changes_cpu_and_memory_and_nothing_else() -> None:
    old = {"containers": [sized()], "initContainers": [sized(name="i")]}
    only = "spec: Forbidden: only cpu and memory resources are mutable"
    assert resized({**old, "containers": [sized("2")]}, old) == []
    assert resized({**old, "containers": [sized(**{"ephemeral-storage": "1Gi"})]}, old) == [only]
    policy = {"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]}
    assert resized({**old, "containers": [{**sized(), **policy}]}, old) == [only]
    assert resized({**old, "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}, old) == [
        "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"
    ]
    assert resized({**old, "initContainers": [sized("2", name="i")]}, old) == [
        "spec: Forbidden: resources for non-sidecar init containers are immutable"
    ]
    assert resized(old, old, annotations={"kubernetes.io/config.mirror": "x"}) == [
        ": Forbidden: static pods cannot be resized"
    ]


def test_a_resize_leaves_containers_where_they_are() -> None:
    old = {"containers": [sized(name="a"), sized(name="b")]}
    assert resized({"containers": [sized(name="a")]}, old) == [
        "spec.containers: Forbidden: containers may not be added or removed on resize"
    ]
    assert resized({"containers": old["containers"][::-1]}, old) == [
        f"spec.containers[{i}].name: Forbidden: containers may not be renamed or reordered on resize" for i in (0, 1)
    ]


def test_a_resize_of_the_whole_pod_removes_nothing() -> None:
    old = {"containers": [sized()], "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}}
    assert resized({**old, "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}, old) == []
    assert resized({**old, "resources": {"requests": {"cpu": "2"}}}, old) == [
        "spec.resources.limits: Forbidden: pod-level resource limits cannot be removed"
    ]
    assert resized({"containers": [sized()]}, old) == [
        "spec.resources: Forbidden: pod-level resources cannot be removed"
    ]


def test_files_of_variables_are_in_volumes_that_containers_write() -> None:
    def reading(volume: str) -> dict[str, Any]:
        return {"name": "c", "env": [{"name": "K", "valueFrom": {"fileKeyRef": {"volumeName": volume}}}]}

    volumes = [{"name": "own", "emptyDir": {}}, {"name": "other", "hostPath": {"path": "/x"}}]
    spec = {"volumes": volumes, "containers": [reading("own"), reading("other"), reading("absent")]}
    at = "spec.containers[{}].env[0].valueFrom.fileKeyRef.volumeName"
    assert words(validate_file_volumes(spec, Path("spec"))) == [
        at.format(1) + ': Invalid value: "other": referenced volume must be of type emptyDir',
        at.format(2) + ': Not found: "absent"',
    ]


def test_what_is_read_only_all_the_way_down_is_read_only_and_not_shared() -> None:
    def said(**mount: Any) -> list[str]:
        container = {"name": "c", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/m", **mount}]}
        spec = {**POD, "containers": [container], "volumes": [{"name": "v", "emptyDir": {}}]}
        at = "spec.containers[0].volumeMounts.recursiveReadOnly: "
        found = words(validate_pod_spec(spec, {}, Path("spec")))
        return [each.removeprefix(at) for each in found if each.startswith(at)]

    assert said(readOnly=True, recursiveReadOnly="Enabled") == said(recursiveReadOnly="Disabled") == []
    assert said(recursiveReadOnly="IfPossible", mountPropagation="HostToContainer") == [
        "Forbidden: may only be specified when readOnly is true",
        "Forbidden: may only be specified when mountPropagation is None or not specified",
    ]
    assert said(recursiveReadOnly="x") == [
        'Unsupported value: "x": supported values: "Disabled", "Enabled", "IfPossible"'
    ]


def test_a_driver_of_a_node_stays_what_it_is() -> None:
    def node(**driver: Any) -> dict[str, Any]:
        return {"metadata": {"name": "n"}, "spec": {"drivers": [{"name": "a.b", "nodeID": "1", **driver}]}}

    assert validate_csi_node_update(node(allocatable={"count": 2}), node()) == []
    assert words(validate_csi_node_update(node(nodeID="2"), node())) == [
        'CSINodeDriver: Invalid value: {"name":"a.b","nodeID":"2"}: field is immutable'
    ]


def test_an_autoscalers_tolerance_is_not_below_zero() -> None:
    policies = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    rules = {"tolerance": "-100m", "policies": policies}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    spec = {"maxReplicas": 1, "minReplicas": 1, "scaleTargetRef": target, "behavior": {"scaleDown": rules}}
    assert words(validate_autoscaler({"metadata": {"name": "d"}, "spec": spec})) == [
        'spec.behavior.scaleDown.tolerance: Invalid value: "-100m": must be greater than or equal to 0'
    ]


def test_a_config_map_is_too_long_as_a_whole() -> None:
    large = {"metadata": {"name": "a"}, "data": {"a": "x" * 2**19, "b": "x" * 2**19, "c": "x"}}
    assert words(validate_config_map(large)) == ["[]: Too long: may not be more than 1048576 bytes"]


def test_a_series_that_changes_is_one() -> None:
    old = {"eventTime": "2026-01-01T00:00:00.000000Z", "reason": "Started"}
    new = {**old, "series": {"count": 1, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}
    assert words(validate_new_event_update(new, old)) == ['series.count: Invalid value: "": should be at least 2']
    assert validate_new_event_update(new, new) == []


def test_an_ingress_has_one_class_however_it_is_told() -> None:
    def ingress(named: str) -> dict[str, Any]:
        annotations = {"kubernetes.io/ingress.class": named}
        backend = {"service": {"name": "web", "port": {"number": 80}}}
        spec = {"ingressClassName": "new", "defaultBackend": backend}
        return {"metadata": {"name": "i", "annotations": annotations}, "spec": spec}

    assert words(validate_new_ingress(ingress("old"))) == [
        'annotations.kubernetes.io/ingress.class: Invalid value: "old": must match `ingressClassName` when both are '
        "specified"
    ]
    assert validate_new_ingress(ingress("new")) == []
    assert validate_ingress_update(ingress("old"), ingress("old")) == []


def test_what_a_storage_capacity_is_of_stays() -> None:
    old = {"metadata": {"name": "c"}, "storageClassName": "a", "nodeTopology": {}, "capacity": "1Gi"}
    assert validate_storage_capacity_update({**old, "capacity": "2Gi"}, old) == []
    changed = {**old, "storageClassName": "b", "nodeTopology": {"matchExpressions": [{"key": "x", "operator": "Near"}]}}
    assert words(validate_storage_capacity_update(changed, old)) == [
        'nodeTopology.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
        'nodeTopology: Invalid value: {"matchExpressions":[{"key":"x","operator":"Near"}]}: field is immutable',
        'storageClassName: Invalid value: "b": field is immutable',
    ]
