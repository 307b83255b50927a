"""Carries out the steps of a pod that is to run: its sandbox, its containers.

Each step either succeeds or raises StartFailed with the reason that users see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.random import name_suffix
from cybernetes.kubelet import cri_config, env, envfile, images, naming, pods
from cybernetes.kubelet.cri_config import ContainerInput
from cybernetes.kubelet.env import ConfigError, EnvContext
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.plan import StartContainer
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.puller import ImageError, PullRequest
from cybernetes.kubelet.runtime.api import Image
from cybernetes.kubelet.sources import RUNTIME_CLASSES
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.volumes import layout
from cybernetes.kubelet.volumes.layout import MountedVolume, SubPath
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

# Retrying a refused configuration or start sooner only repeats it; upstream's pod workers wait as long.
RETRY_S = 10.0


class StartFailed(Exception):
    """reason, message: of the container's waiting state; wait_s: until a try makes sense."""

    def __init__(self, reason: str, message: str, wait_s: float = RETRY_S) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.wait_s = wait_s


class Launch(msgspec.Struct, frozen=True):
    """A pod at one moment, and what was prepared for it."""

    pod: Object
    volumes: Mapping[str, MountedVolume]
    keys: tuple[images.Credential, ...]
    seen_at: float
    not_before: float


async def pull_secrets(tools: Tools, pod: Object, not_before: float) -> tuple[images.Credential, ...]:
    """Registry credentials of the pod; an event names secrets that can't be read."""
    names = [each.get("name", "") for each in pod["spec"].get("imagePullSecrets") or ()]
    if not names:
        return ()
    namespace = pod["metadata"]["namespace"]
    try:
        sources = await tools.reader.load(namespace, [("Secret", name) for name in names], not_before)
    except (ApiError, EdgeError):
        sources = env.Sources()
    found = [sources.get("Secret", namespace, name) for name in names]
    missing = [name for name, secret in zip(names, found, strict=True) if secret is None]
    if missing:
        tools.say(
            pod,
            "",
            "Warning",
            "FailedToRetrieveImagePullSecret",
            f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
            "attempting to pull the image may not succeed.",
        )
    return tuple(images.keyring([images.docker_config(secret) for secret in found if secret is not None]))


def sandbox_config(tools: Tools, launch: Launch, attempt: int) -> cri.PodSandboxConfig:
    """Raises StartFailed when the pod's names or namespaces can't be had."""
    config = tools.config
    node = naming.parse_resolv_conf(tools.host.resolv_conf())
    dns, warnings = naming.dns_config(launch.pod, node, config.cluster_dns, config.cluster_domain)
    for each in warnings:
        tools.say(launch.pod, "", "Warning", "DNSConfigForming", each)
    try:
        return cri_config.sandbox_config(launch.pod, attempt, dns, config, launch.seen_at)
    except (naming.NamingError, ConfigError) as wrong:
        raise StartFailed("CreatePodSandboxError", str(wrong)) from wrong


async def run_sandbox(tools: Tools, launch: Launch, attempt: int) -> str:
    """The new sandbox's id. Raises StartFailed after an event."""
    try:
        config = sandbox_config(tools, launch, attempt)
        return await tools.runtime.run_sandbox(config, await _runtime_handler(tools, launch.pod))
    except EdgeError as error:
        message = f"Failed to create pod sandbox: {error.message}"
        tools.say(launch.pod, "", "Warning", "FailedCreatePodSandBox", message)
        raise StartFailed("", message) from error
    except StartFailed as failed:
        message = f"Failed to create pod sandbox: {failed.message}"
        tools.say(launch.pod, "", "Warning", "FailedCreatePodSandBox", message)
        raise


async def _runtime_handler(tools: Tools, pod: Object) -> str:
    name = pod["spec"].get("runtimeClassName")
    if not name:
        return ""
    try:
        found = await tools.reader.find(RUNTIME_CLASSES, "", name)
    except ApiError as error:
        raise StartFailed("CreatePodSandboxError", error.message) from error
    if found is None:
        why = f'failed to get sandbox runtime: RuntimeClass.node.k8s.io "{name}" not found'
        raise StartFailed("CreatePodSandboxError", why)
    return str(found["handler"])


async def write_hosts(tools: Tools, pod: Object, ips: tuple[str, ...]) -> None:
    zone = tools.config.cluster_domain
    if pods.is_host_network(pod):
        await tools.host.write_hosts(pods.uid(pod), None, lambda own: naming.hosts_file(pod, ips, zone, own))
    else:
        await tools.host.write_hosts(pods.uid(pod), naming.hosts_file(pod, ips, zone, ""), str)


async def create_container(tools: Tools, launch: Launch, observed: Observed, step: StartContainer) -> str:
    """Create a container in the pod's sandbox; its id. Raises StartFailed after an event."""
    pod, sandbox = launch.pod, observed.sandbox
    found = pods.find_container(pod, step.name)
    assert found is not None and sandbox is not None
    container = found[1]
    box = sandbox_config(tools, launch, sandbox.attempt)
    image = await _image(tools, launch, container, box)
    ips = tools.node.ips if pods.is_host_network(pod) else sandbox.ips
    try:
        variables = await _variables(tools, launch, container, ips)
        log = await tools.host.termination_log(pods.uid(pod), step.name, name_suffix(tools.random, 8))
        pod_dir = tools.config.pod_dir(pods.uid(pod))
        mounts, parts = layout.container_mounts(pod_dir, container, launch.volumes, variables, log)
        given = ContainerInput(
            container=container,
            attempt=step.attempt,
            image=image,
            mounts=mounts,
            variables=variables,
            target_id=_target(container, observed),
        )
        config = cri_config.container_config(pod, given, tools.config, tools.facts.machine, v2=tools.facts.cgroup_v2)
        await _bind_sub_paths(tools, step.name, parts)
    except ConfigError as wrong:
        raise _failed(tools, pod, step.name, "CreateContainerConfigError", str(wrong)) from wrong
    try:
        await tools.host.container_log_dir(_log_dir(tools, pod), step.name)
        container_id = await tools.runtime.create_container(sandbox.id, config, box)
        await _link_log(tools, pod, step, container_id)
    except EdgeError as error:
        raise _failed(tools, pod, step.name, "CreateContainerError", _said(error)) from error
    tools.say(pod, step.name, "Normal", "Created", "Container created")
    return container_id


async def start_container(tools: Tools, pod: Object, name: str, container_id: str) -> None:
    """Raises StartFailed after an event."""
    try:
        await tools.runtime.start_container(container_id)
    except EdgeError as error:
        raise _failed(tools, pod, name, "RunContainerError", _said(error)) from error
    tools.say(pod, name, "Normal", "Started", "Container started")


async def _image(tools: Tools, launch: Launch, container: Object, box: cri.PodSandboxConfig) -> Image:
    request = PullRequest(
        launch.pod, container, launch.keys, cri_config.pod_annotations(launch.pod, launch.seen_at), box
    )

    def say(kind: str, reason: str, message: str) -> None:
        tools.say(launch.pod, container["name"], kind, reason, message)

    try:
        return await tools.puller.ensure(request, say)
    except ImageError as error:
        raise StartFailed(error.reason, error.message, error.wait_s) from error


async def _variables(tools: Tools, launch: Launch, container: Object, ips: tuple[str, ...]) -> dict[str, str]:
    pod = launch.pod
    try:
        sources = await tools.reader.load(pod["metadata"]["namespace"], env.references(container), launch.not_before)
        files = {
            (volume, path): await tools.host.read_inside(launch.volumes[volume].path, path, envfile.SIZE_MAX)
            for volume, path in env.files_wanted(container)
        }
    except (ApiError, EdgeError) as error:
        raise ConfigError(str(error)) from error
    context = EnvContext(ips, tools.node.ips, tools.services(), sources, tools.allocatable, files)
    return env.environment(pod, container, context)


async def _bind_sub_paths(tools: Tools, container: str, parts: Sequence[SubPath]) -> None:
    """Raises ConfigError, which tells whoever made the pod nothing of the machine's folders."""
    for each in parts:
        try:
            await tools.host.bind_sub_path(each)
        except EdgeError as error:
            told = f'failed to prepare subPath for volumeMount "{each.volume}" of container "{container}"'
            raise ConfigError(told) from error


def _target(container: Object, observed: Observed) -> str:
    name = container.get("targetContainerName")
    found = observed.latest(name) if name else None
    return found.id if found is not None else ""


def _log_dir(tools: Tools, pod: Object) -> Path:
    meta = pod["metadata"]
    return tools.config.log_dir(meta["namespace"], meta["name"], meta["uid"])


async def _link_log(tools: Tools, pod: Object, step: StartContainer, container_id: str) -> None:
    meta = pod["metadata"]
    link = f"{meta['name']}_{meta['namespace']}_{step.name}-{container_id}.log"
    await tools.host.link_log(link, str(_log_dir(tools, pod) / step.name / f"{step.attempt}.log"))


def _failed(tools: Tools, pod: Object, name: str, reason: str, message: str) -> StartFailed:
    tools.say(pod, name, "Warning", "Failed", f"Error: {message}")
    return StartFailed(reason, message)


def _said(error: EdgeError) -> str:
    """What the runtime said of a container, without the code of its answer."""
    return error.message.partition(" desc = ")[2] if error.message.startswith("rpc error: ") else error.message


async def wait_or(event: asyncio.Event, seconds: float | None) -> None:
    """Until the event is set, or that long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
