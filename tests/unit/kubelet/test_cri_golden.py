"""For 29 pods, the requests that reach the runtime are those that the reference kubelet makes."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from tests.unit.kubelet.cri_golden_pods import cases, defaulted

from cybernetes.kubelet import cri_config, images, naming, pods
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.cri_config import ContainerInput, Machine
from cybernetes.kubelet.env import EnvContext, Service, ServicePort, Sources, environment
from cybernetes.kubelet.runtime.api import Image
from cybernetes.kubelet.volumes import layout

CONFIG = KubeletConfig(
    node_name="gold-node",
    node_ip="10.9.9.1",
    root_dir=Path("<kubelet>"),
    pod_log_dir=Path("<logs>"),
    cluster_dns=("10.96.0.10",),
    cluster_domain="",
)
MACHINE = Machine(memory_bytes=24 << 30, page_sizes=("2MB", "1GB"))
IMAGE = Image("<image id>", (), (), 0, 0, "", False)
NODE_DNS = naming.DnsConfig(("10.9.9.9",), ("host.test",), ("timeout:1",))
SERVICES = (
    Service("default", "kubernetes", "10.96.0.1", (ServicePort("https", "TCP", 443),)),
    Service("cri", "web-front", "10.96.55.5", (ServicePort("http", "TCP", 80), ServicePort("dns", "UDP", 53))),
)
SOURCES = Sources(
    {
        ("ConfigMap", "cri", "cfg"): {"data": {"k": "v1", "other-key": "v2"}},
        ("Secret", "cri", "sec"): {"data": {"s": "dDE="}},
    }
)
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.mark.parametrize("case", cases())
def test_requests_are_those_of_the_reference(case: dict[str, Any]) -> None:
    pod = defaulted(case["pod"])
    for wanted in case["calls"]:
        ours = _masked(_ours(pod, wanted))
        assert ours == _masked(wanted["request"])


def _ours(pod: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted["call"] == "RunPodSandbox":
        dns, _ = naming.dns_config(pod, NODE_DNS, CONFIG.cluster_dns, CONFIG.cluster_domain)
        request: dict[str, Any] = {"config": _dict(cri_config.sandbox_config(pod, 0, dns, CONFIG, 0.0))}
        if pod["spec"].get("runtimeClassName"):
            request["runtime_handler"] = pod["spec"]["runtimeClassName"]
        return request
    if wanted["call"] == "PullImage":
        name = wanted["request"]["image"]["image"]
        spec = images.pull_spec(name, cri_config.pod_annotations(pod, 0.0))
        request = {"image": _dict(spec)}
        if pod["spec"].get("imagePullSecrets"):
            keys = images.keyring([images.docker_config(_pull_secret())])
            request["auth"] = _dict(images.credentials(keys, name)[0])
        return request
    return {"pod_sandbox_id": "<sandbox>", "config": _container(pod, wanted["request"]["config"]["metadata"]["name"])}


def _container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    found = pods.find_container(pod, name)
    assert found is not None
    container = found[1]
    context = EnvContext(("10.244.9.9",), ("10.9.9.1",), SERVICES, SOURCES, {})
    variables = environment(pod, container, context)
    pod_dir = CONFIG.pod_dir("<uid>")
    volumes = {each["name"]: _volume(pod_dir, each) for each in pod["spec"]["volumes"]}
    log = pod_dir / "containers" / name / "<id>"
    mounts, _ = layout.container_mounts(pod_dir, container, volumes, variables, log)
    given = ContainerInput(container=container, attempt=0, image=IMAGE, mounts=mounts, variables=variables)
    return _dict(cri_config.container_config(pod, given, CONFIG, MACHINE, v2=False))


def _volume(pod_dir: Path, volume: dict[str, Any]) -> layout.MountedVolume:
    if "hostPath" in volume:
        return layout.MountedVolume(volume["hostPath"]["path"])
    return layout.MountedVolume(str(layout.volume_dir(pod_dir, volume)), layout.is_payload(volume))


def _pull_secret() -> dict[str, Any]:
    inner = base64.b64encode(b'{"auths":{"i.test":{"username":"u","password":"p"}}}').decode()
    return {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": inner}}


def _dict(message: Any) -> dict[str, Any]:
    """As JSON, but with the bytes of environment values as text, which is how they were recorded."""
    result = MessageToDict(message, preserving_proto_field_name=True)
    for each in result.get("envs", []):
        each["value"] = base64.b64decode(each["value"]).decode()
    return result


def _masked(request: dict[str, Any]) -> dict[str, Any]:
    """Without what the recording masked, or leaves to the order of a map."""
    request = copy.deepcopy(request)
    config = request.get("config", {})
    annotations = config.get("annotations", request.get("image", {}).get("annotations", {}))
    for name in (pods.SEEN, "io.kubernetes.container.hash", APPLIED):
        annotations.pop(name, None)
    if "envs" in config:
        config["envs"] = sorted(config["envs"], key=lambda each: each["key"])
    return request
