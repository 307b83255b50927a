"""Small pods and observations for tests of the pure parts."""

from __future__ import annotations

from typing import Any

from cybernetes.kubelet.cri_config import NOTE_HASH
from cybernetes.kubelet.observe import Observed, build
from cybernetes.kubelet.pods import container_hash
from cybernetes.kubelet.runtime.api import ContainerStatus, SandboxStatus, State

Object = dict[str, Any]
SECOND = 1_000_000_000


def pod(*names: str, **spec: Any) -> Object:
    """Containers `names` (default one, `a`); initContainers and others by keyword."""
    containers = [{"name": name, "image": "i"} for name in names or ("a",)]
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "generation": 3},
        "spec": {"containers": containers, **spec},
    }


def init(name: str, **fields: Any) -> Object:
    return {"name": name, "image": "i", **fields}


def box(number: int = 0, *, ready: bool = True, ips: tuple[str, ...] = ("10.0.0.1",)) -> SandboxStatus:
    return SandboxStatus(f"s{number}", number, ready, number + 1, ips)


def run(name: str, attempt: int = 0, *, sandbox: int = 0) -> ContainerStatus:
    return _container(name, attempt, sandbox, State.RUNNING, 0, 0.0)


def ended(name: str, code: int = 0, attempt: int = 0, *, at: float = 100.0, sandbox: int = 0) -> ContainerStatus:
    return _container(name, attempt, sandbox, State.EXITED, code, at)


def _container(name: str, attempt: int, sandbox: int, state: State, code: int, at: float) -> ContainerStatus:
    return ContainerStatus(
        id=f"{name}{attempt}",
        sandbox_id=f"s{sandbox}",
        name=name,
        attempt=attempt,
        state=state,
        created_at=(attempt + 1) * SECOND,
        started_at=(attempt + 1) * SECOND,
        finished_at=int(at * SECOND) if state is State.EXITED else 0,
        exit_code=code,
        annotations={NOTE_HASH: container_hash({"name": name, "image": "i"})},
    )


def seen(*things: ContainerStatus | SandboxStatus) -> Observed:
    """A ready sandbox unless one is given."""
    boxes = [each for each in things if isinstance(each, SandboxStatus)]
    return build(boxes or [box()], [each for each in things if isinstance(each, ContainerStatus)])
