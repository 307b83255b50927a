"""Whatever containers do, a pod's plans keep the promises of its spec, and come to rest."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.kubelet import backoff, pods
from cybernetes.kubelet.backoff import Entry
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.plan import Health, RunSandbox, StartContainer, StopContainer, StopPod, plan, restart_key
from cybernetes.kubelet.runtime.api import ContainerStatus, SandboxStatus, State

LIMIT_S = 300.0
STEPS_MAX = 400


class World:
    """A pod and a runtime that does what plans say; `chances` decides what containers do by themselves."""

    def __init__(self, pod: dict[str, Any], chances: list[int]) -> None:
        self.pod = pod
        self.chances = chances
        self.now = 0.0
        self.boxes: list[SandboxStatus] = []
        self.containers: dict[str, ContainerStatus] = {}
        self.started: set[str] = set()
        self.entries: dict[str, Entry] = {}
        self.starts: list[str] = []
        self.over = False

    @property
    def observed(self) -> Observed:
        boxes = tuple(sorted(self.boxes, key=lambda box: -box.created_at))
        rows = sorted(self.containers.values(), key=lambda row: (-row.created_at, -row.attempt))
        return Observed(boxes, tuple(rows))

    def chance(self, limit: int) -> int:
        return self.chances.pop() % limit if self.chances else 0

    def step(self) -> bool:
        """Plan and apply once, or let time pass; False at rest, and when the pod has ended for good."""
        if self.over:
            return False
        decided = plan(
            self.pod, self.observed, Health(frozenset(self.started)), self.entries, self.now, limit_s=LIMIT_S
        )
        for action in decided.actions:
            self.apply(action)
        if decided.actions:
            return True
        if decided.wake_after_s is not None:
            self.now += decided.wake_after_s
            return True
        return self.happen()

    def apply(self, action: Any) -> None:
        match action:
            case RunSandbox(attempt):
                assert all(not box.ready for box in self.boxes)
                self.boxes.append(SandboxStatus(f"s{attempt}", attempt, True, attempt + 1, ("10.0.0.1",)))
            case StartContainer(name, kind, attempt):
                self.start(name, kind, attempt)
            case StopContainer(_, container_id):
                self.end(container_id, 137)
            case StopPod(restarts):
                for row in self.observed.running():
                    self.end(row.id, 137)
                self.boxes = [SandboxStatus(box.id, box.attempt, False, box.created_at, box.ips) for box in self.boxes]
                self.over = self.over or not restarts

    def start(self, name: str, kind: str, attempt: int) -> None:
        found = pods.find_container(self.pod, name)
        assert found is not None
        box = self.observed.sandbox
        assert box is not None and box.ready
        self.check_order(name, kind, box.id)
        ended = next((row for row in self.observed.instances(name) if row.state is State.EXITED), None)
        if ended is not None:
            key = restart_key(found[1])
            self.entries[key] = backoff.following(self.entries.get(key), ended.finished_at / 1e9, self.now, LIMIT_S)
        self.starts.append(name)
        key = f"{name}-{attempt}-{box.id}"
        assert key not in self.containers
        self.containers[key] = ContainerStatus(
            id=key, sandbox_id=box.id, name=name, attempt=attempt, state=State.RUNNING, created_at=len(self.starts), started_at=1
        )  # fmt: skip

    def check_order(self, name: str, kind: str, box: str) -> None:
        current = [row for row in self.containers.values() if row.sandbox_id == box]
        assert not any(row.name == name and row.state is State.RUNNING for row in current), "it runs already"
        inits = pods.init_containers(self.pod)
        mains = {each["name"] for each in pods.containers(self.pod)}
        if any(row.name in mains for row in current):
            return
        before = inits if kind == "main" else inits[: [each["name"] for each in inits].index(name)]
        for each in before:
            rows = [row for row in current if row.name == each["name"]]
            if pods.is_sidecar(each):
                assert any(row.id in self.started for row in rows), "a sidecar before it has not started"
            else:
                assert any(row.state is State.EXITED and row.exit_code == 0 for row in rows), (
                    "an init container has not succeeded"
                )

    def end(self, container_id: str, code: int) -> None:
        row = self.containers[container_id]
        self.containers[container_id] = ContainerStatus(
            id=row.id, sandbox_id=row.sandbox_id, name=row.name, attempt=row.attempt, state=State.EXITED,
            created_at=row.created_at, started_at=1, finished_at=int(self.now * 1e9), exit_code=code,
        )  # fmt: skip
        self.started.discard(container_id)

    def happen(self) -> bool:
        """Something in the world: a container is found started, or ends, or the sandbox dies; False when nothing can."""
        self.now += 1
        waiting = [row.id for row in self.observed.running() if row.id not in self.started]
        if waiting:
            self.started.add(waiting[0])
            return True
        running = self.observed.running()
        if not self.chances:
            return self.finish_init()
        if not running:
            return False
        if self.chance(10) == 9:
            for row in running:
                self.end(row.id, 137)
            self.boxes = [SandboxStatus(box.id, box.attempt, False, box.created_at, box.ips) for box in self.boxes]
        else:
            self.end(running[self.chance(len(running))].id, self.chance(2))
        return True

    def finish_init(self) -> bool:
        """Without further accidents init containers succeed."""
        regular = {each["name"] for each in pods.init_containers(self.pod) if not pods.is_sidecar(each)}
        for row in self.observed.running():
            if row.name in regular:
                self.end(row.id, 0)
                return True
        return False


@st.composite
def some_pod(draw: st.DrawFn) -> dict[str, Any]:
    inits = [
        {"name": f"i{n}", "image": "i", **({"restartPolicy": "Always"} if draw(st.booleans()) else {})}
        for n in range(draw(st.integers(0, 3)))
    ]
    mains = [{"name": f"m{n}", "image": "i"} for n in range(draw(st.integers(1, 3)))]
    policy = draw(st.sampled_from(["Always", "OnFailure", "Never"]))
    return {
        "metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"containers": mains, "initContainers": inits, "restartPolicy": policy},
    }


@settings(max_examples=300, deadline=None)
@given(some_pod(), st.lists(st.integers(0, 1000), max_size=60))
def test_plans_keep_order_and_come_to_rest(pod: dict[str, Any], chances: list[int]) -> None:
    world = World(pod, chances)
    for _ in range(STEPS_MAX):
        if not world.step():
            break
    else:
        raise AssertionError("it does not come to rest")
    policy = pod["spec"]["restartPolicy"]
    mains = [each["name"] for each in pod["spec"]["containers"]]
    if policy == "Never":
        assert all(world.starts.count(name) <= 1 for name in mains)
    if policy == "Always":
        assert not world.over
        assert {row.name for row in world.observed.running()} >= set(mains)
    if world.over:
        assert world.observed.running() == []
        assert all(not box.ready for box in world.boxes)
