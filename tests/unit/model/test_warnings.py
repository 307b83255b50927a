"""Warnings of pods, services and definitions."""

from __future__ import annotations

from typing import Any

from cybernetes.base.random import SystemRandom
from cybernetes.model.resource import WriteContext
from cybernetes.model.warnings.definitions import of_definition
from cybernetes.model.warnings.pods import of_pod, of_template
from cybernetes.model.warnings.services import of_service

CONTEXT = WriteContext(now=0.0, random=SystemRandom())


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}], **spec}}


def test_a_plain_pod_has_no_warnings() -> None:
    assert of_pod(pod(), None, CONTEXT) == []


def test_variable_that_hides_another() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}, {"name": "A", "value": "3"}]
    found = of_pod(pod(containers=[{"name": "c", "env": env}]), None, CONTEXT)
    assert found == [
        'spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply'
    ]


def test_relations_of_ports() -> None:
    ports = [
        {"containerPort": 80, "protocol": "TCP"},
        {"containerPort": 80, "protocol": "TCP"},
        {"containerPort": 80, "protocol": "TCP", "hostPort": 80},
        {"containerPort": 80, "protocol": "UDP"},
    ]
    found = of_pod(pod(containers=[{"name": "c", "ports": ports}]), None, CONTEXT)
    assert [each.partition(": ")[2].partition(" with")[0] for each in found] == [
        "duplicate port definition",
        "overlapping port definition",
        "overlapping port definition",
    ]


def test_projected_files_in_each_others_way() -> None:
    sources = [
        {"serviceAccountToken": {"path": "a"}},
        {"configMap": {"name": "m", "items": [{"key": "k", "path": "a/b"}]}},
        {},
    ]
    found = of_pod(pod(volumes=[{"name": "v", "projected": {"sources": sources}}]), None, CONTEXT)
    assert found == [
        'volume "v" (Projected) has no sources provided',
        'volume "v" (Projected): overlapping paths: "a/b" (ConfigMap "m") with "a" (ServiceAccountToken)',
    ]


def test_templates_warn_again_only_when_the_spec_changed() -> None:
    warn = of_template("spec", "template")
    new = {"metadata": {"generation": 1}, "spec": {"template": pod(imagePullSecrets=[{}])}}
    told = ['spec.template.spec.imagePullSecrets[0].name: invalid empty name ""']
    assert warn(new, None, CONTEXT) == told
    assert warn(new, new, CONTEXT) == []
    assert warn({**new, "metadata": {"generation": 2}}, new, CONTEXT) == told


def test_headless_service_with_affinity() -> None:
    service = {"metadata": {}, "spec": {"clusterIP": "None", "sessionAffinity": "ClientIP"}}
    assert of_service(service, None, CONTEXT) == ["spec.SessionAffinity is ignored for headless services"]


def test_addresses_in_other_than_canonical_form() -> None:
    service = {"metadata": {}, "spec": {"externalIPs": ["2001:DB8::1", "10.0.0.1"]}}
    assert of_service(service, None, CONTEXT) == [
        'spec.externalIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")'
    ]


def test_unknown_format_is_told_of_once() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "format": "nope"}, "b": {"format": "int32"}}}
    definition = {"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}}
    assert of_definition(definition, None, CONTEXT) == ['unrecognized format "nope"']
    assert of_definition(definition, definition, CONTEXT) == []
