"""Finds the pod, container and instance that a request is about, or says what is wrong with it.

source  the kubelet's texts, which the API server passes on
"""

from __future__ import annotations

from collections.abc import Iterable

from cybernetes.base.errors import ApiError
from cybernetes.kubelet import pods
from cybernetes.kubelet.runtime.api import ContainerStatus, State
from cybernetes.kubelet.worker import PodWorker

_PULLS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


def refused(code: int, text: str) -> ApiError:
    return ApiError(code, "", text)


def pod(workers: Iterable[PodWorker], namespace: str, name: str, uid: str = "") -> PodWorker:
    for worker in workers:
        meta = worker.pod["metadata"]
        if (meta["namespace"], meta["name"]) == (namespace, name) and uid in ("", meta["uid"]):
            return worker
    raise refused(404, f'pod "{namespace}_{name}" does not exist')


def logged_instance(worker: PodWorker, name: str, *, previous: bool) -> ContainerStatus:
    """The instance whose log is asked for. Raises ApiError 400 or 404."""
    if pods.find_container(worker.pod, name) is None:
        raise refused(404, f'container "{name}" not found in pod "{worker.pod["metadata"]["name"]}"')
    instances = [each for each in worker.observed.instances(name) if each.started_at or each.state is State.RUNNING]
    subject = f'container "{name}" in pod "{worker.pod["metadata"]["name"]}"'
    if previous:
        ended = [each for each in instances if each.state is State.EXITED]
        waiting = bool(instances) and instances[0].state is State.EXITED and _waits(worker, name)
        if instances and instances[0].state is State.EXITED and not waiting:
            ended = ended[1:]
        if not ended:
            raise refused(400, f"previous terminated {subject} not found")
        return ended[0]
    if instances:
        return instances[0]
    raise refused(400, _why_none(worker, name, subject))


def _state(worker: PodWorker, name: str) -> dict[str, dict[str, str]]:
    fields = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    rows = [each for field in fields for each in worker.status.get(field) or ()]
    return next((each.get("state") or {} for each in rows if each["name"] == name), {})


def _waits(worker: PodWorker, name: str) -> bool:
    return "waiting" in _state(worker, name)


def _why_none(worker: PodWorker, name: str, subject: str) -> str:
    state = _state(worker, name)
    if "waiting" in state:
        reason = state["waiting"].get("reason", "")
        return f"{subject} is waiting to start: {_PULLS.get(reason, reason)}"
    if "terminated" in state:
        return f"{subject} is terminated"
    return f"{subject} is waiting to start - no logs yet"


def running_instance(worker: PodWorker, name: str) -> ContainerStatus:
    """Raises ApiError when the container does not run."""
    found = worker.observed.latest(name)
    if found is None or found.state is not State.RUNNING:
        raise refused(500, f'container not found ("{name}")')
    return found
