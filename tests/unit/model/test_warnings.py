"""Warnings of pods, services and definitions."""

from __future__ import annotations

from typing import Any

from cybernetes.base.random import SystemRandom
from cybernetes.model.resource import WriteContext
from cybernetes.model.warnings.definitions import of_definition
from cybernetes.model.warnings.endpoints import of_endpoint_slice, of_endpoints
from cybernetes.model.warnings.finalizers import of_finalizers
from cybernetes.model.warnings.networkpolicies import of_network_policy
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
    definition = _defined({"type": "string", "format": "nope"}, {"format": "nope"})
    assert of_definition(definition, None, CONTEXT) == ['unrecognized format "nope"']
    assert of_definition(definition, definition, CONTEXT) == []


def test_a_format_is_one_of_a_type() -> None:
    known = [{"type": "integer", "format": "int64"}, {"type": "number", "format": "double"}, {"format": "date-time"}]
    known += [{"type": "string", "format": each} for each in ("isbn", "quantity", "k8s-short-name", "k8s-long-name")]
    assert of_definition(_defined(*known), None, CONTEXT) == []
    strange = [{"type": "number", "format": "int64"}, {"format": "int32"}, {"type": "array", "format": "byte"}]
    assert of_definition(_defined(*strange), None, CONTEXT) == [
        f'unrecognized format "{each}"' for each in ("int64", "int32", "byte")
    ]


def _defined(*schemas: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {str(n): each for n, each in enumerate(schemas)}}
    return {"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}}


def test_ranges_that_are_addresses_or_of_an_old_form() -> None:
    def block(cidr: str, *excepted: str) -> dict[str, Any]:
        return {"ipBlock": {"cidr": cidr, "except": list(excepted)}}

    spec = {
        "ingress": [{"from": [{"podSelector": {}}, block("10.0.0.1/24", "10.0.0.0/30")]}],
        "egress": [{"to": [block("fd00:0::/16", "fd00:1::1/64")]}, {}],
    }
    assert of_network_policy({"spec": spec}, None, CONTEXT) == [
        'spec.ingress[0].from[1].ipBlock.cidr: CIDR value "10.0.0.1/24" is ambiguous in this context '
        '(should be "10.0.0.0/24" or "10.0.0.1/32"?)',
        'spec.egress[0].to[0].ipBlock.cidr: IPv6 CIDR value "fd00:0::/16" should be in RFC 5952 canonical format '
        '("fd00::/16")',
        'spec.egress[0].to[0].ipBlock.except[0]: CIDR value "fd00:1::1/64" is ambiguous in this context '
        '(should be "fd00:1::/64" or "fd00:1::1/128"?)',
    ]


def test_endpoints_with_names_or_addresses_of_an_old_form() -> None:
    subsets = [{"addresses": [{"ip": "10.0.0.1"}], "notReadyAddresses": [{"ip": "fd00:0::1"}]}]
    endpoints = {"metadata": {"name": "e"}, "subsets": subsets}
    said = 'IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1")'
    assert of_endpoints(endpoints, None, CONTEXT) == [f"subsets[0].notReadyAddresses[0].ip: {said}"]
    slice_ = {"metadata": {"name": "s"}, "addressType": "IPv6", "endpoints": [{"addresses": ["fd00:0::1"]}]}
    assert of_endpoint_slice(slice_, None, CONTEXT) == [f"endpoints[0].addresses[0]: {said}"]
    mirrored = {"labels": {"endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io"}}
    assert of_endpoint_slice({**slice_, "metadata": mirrored}, None, CONTEXT) == []
    named = {**slice_, "addressType": "FQDN", "endpoints": [{"addresses": ["a.example.com"]}]}
    assert of_endpoint_slice(named, None, CONTEXT) == ["spec.addressType: FQDN endpoints are deprecated"]


def test_what_headless_services_have_no_use_for() -> None:
    spec = {"clusterIP": "None", "loadBalancerIP": "1.2.3.4", "externalIPs": ["1.2.3.4"], "sessionAffinity": "ClientIP"}
    found = of_service({"metadata": {"name": "s"}, "spec": spec}, None, CONTEXT)
    assert found == [
        f"{each} is ignored for headless services"
        for each in ("spec.loadBalancerIP", "spec.externalIPs", "spec.SessionAffinity")
    ]


def test_added_finalizers_without_a_domain() -> None:
    old = {"metadata": {"finalizers": ["former"]}}
    new = {"metadata": {"finalizers": ["former", "orphan", "example.com/clean", "mine", "again"]}}
    text = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other"
    assert of_finalizers(new, old, CONTEXT) == [
        f'metadata.finalizers: "{name}": {text} finalizer writers' for name in ("again", "mine")
    ]
    assert of_finalizers({"metadata": {}}, None, CONTEXT) == []
