"""Runs the probes of one pod's containers, and keeps what they say.

A probe is a task that lives as long as its container. Startup gates the others; a probe that has
condemned its container stops asking, since the worker stops the container next.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from cybernetes.base.clock import Clock
from cybernetes.base.random import Random
from cybernetes.kubelet import pods, probes
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.plan import Health
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.prober import Probing
from cybernetes.kubelet.probes import Answer, Kind, Result, Tally

# (container name, event type, reason, message)
Say = Callable[[str, str, str, str], None]
_RESULTS = {
    Answer.SUCCESS: "successful",
    Answer.WARNING: "successful",
    Answer.FAILURE: "failed",
    Answer.UNKNOWN: "unknown",
}


class _Watched:
    """One container: what is known of it, and its tasks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = asyncio.Event()
        self.ready = False
        self.unhealthy = ""
        self.tasks: list[asyncio.Task[None]] = []


class Watchman:
    def __init__(
        self,
        prober: Probing,
        clock: Clock,
        random: Random,
        group: asyncio.TaskGroup,
        say: Say,
        on_change: Callable[[], None],
    ) -> None:
        self._prober = prober
        self._clock = clock
        self._random = random
        self._group = group
        self._say = say
        self._on_change = on_change
        self._watched: dict[str, _Watched] = {}
        self._ending = False
        # (container, type of probe, result), as metrics name them.
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def health(self) -> Health:
        return Health(
            frozenset(key for key, each in self._watched.items() if each.started.is_set()),
            {key: each.unhealthy for key, each in self._watched.items() if each.unhealthy},
        )

    def ready(self) -> frozenset[str]:
        return frozenset(key for key, each in self._watched.items() if each.ready)

    def knows(self, container_id: str) -> bool:
        return container_id in self._watched

    def attend(self, pod: Object, observed: Observed, status: Object, pod_ip: str, hooking: frozenset[str]) -> None:
        """Watch what runs now, and forget what does not.

        status   the pod's, as last said: what it says of an instance was found before a restart of the kubelet
        hooking  containers whose postStart hook is not done: they are watched after it
        """
        running = observed.running()
        ids = {each.id for each in running}
        for container in observed.containers:
            if container.id not in ids:
                self.forget(container.id)
        for container in running:
            if container.id in self._watched or container.id in hooking:
                continue
            found = pods.find_container(pod, container.name)
            if found is None:
                continue
            known = _said_of(status, container.id)
            self.watch(
                found[1],
                container.id,
                container.started_at / 1e9,
                pod_ip,
                was_started=bool(known.get("started")),
                was_ready=bool(known.get("ready")),
            )

    def watch(
        self,
        container: Object,
        container_id: str,
        started_at: float,
        pod_ip: str,
        *,
        was_started: bool,
        was_ready: bool,
    ) -> None:
        """Begin with a container that runs; `was_…` keep what was known of it before the kubelet restarted."""
        watched = _Watched(container["name"])
        self._watched[container_id] = watched
        kinds = probes.of_container(container)
        if Kind.STARTUP not in kinds or was_started:
            watched.started.set()
        watched.ready = Kind.READINESS not in kinds or was_ready
        for kind in kinds:
            if kind is Kind.STARTUP and was_started:
                continue
            work = self._run(kind, container, container_id, watched, started_at, pod_ip)
            watched.tasks.append(self._group.create_task(work, name=f"probe.{kind.value}.{container['name']}"))

    def forget(self, container_id: str) -> None:
        watched = self._watched.pop(container_id, None)
        if watched is not None:
            for task in watched.tasks:
                task.cancel()

    def forget_all(self) -> None:
        for container_id in list(self._watched):
            self.forget(container_id)

    def end(self) -> None:
        """The pod is being ended: only readiness is still asked for."""
        self._ending = True

    async def _run(
        self, kind: Kind, container: Object, container_id: str, watched: _Watched, started_at: float, pod_ip: str
    ) -> None:
        probe = container[kind.field]
        if kind is not Kind.STARTUP:
            await watched.started.wait()
        await self._clock.sleep(max(0.0, started_at + probes.initial_delay_s(probe) - self._clock.now()))
        tally = Tally()
        while not (self._ending and kind is not Kind.READINESS):
            result = await self._prober.probe(probe, container, container_id, pod_ip)
            self.counts[watched.name, kind.title, _RESULTS[result.answer]] += 1
            self._report(kind, watched.name, result)
            if result.answer is not Answer.UNKNOWN:
                before, tally = tally, probes.fold(tally, result.answer is not Answer.FAILURE, probe)
                if tally.decided is not before.decided and self._decide(kind, watched, tally.decided):
                    return
            await self._clock.sleep(probes.period_s(probe))

    def _decide(self, kind: Kind, watched: _Watched, decided: bool | None) -> bool:
        """Take a decision over; True when there is nothing more to ask."""
        if decided is None:
            return False
        if kind is Kind.READINESS:
            if watched.ready is not decided:
                watched.ready = decided
                self._on_change()
            return False
        if decided:
            if kind is Kind.STARTUP:
                watched.started.set()
                self._on_change()
                return True
            return False
        watched.unhealthy = kind.value
        self._on_change()
        return True

    def _report(self, kind: Kind, name: str, result: Result) -> None:
        if result.answer is Answer.FAILURE:
            self._say(name, "Warning", "Unhealthy", f"{kind.title} probe failed: {result.output}")
        elif result.answer is Answer.UNKNOWN:
            text = f"{kind.title} probe errored and resulted in unknown state: {result.output}"
            self._say(name, "Warning", "Unhealthy", text)
        elif result.answer is Answer.WARNING:
            self._say(name, "Warning", "ProbeWarning", f"{kind.title} probe warning: {result.output}")


def _said_of(status: Object, container_id: str) -> Object:
    """What a pod's status says of this very instance; nothing of another one."""
    suffix = f"//{container_id}"
    return next(
        (
            each
            for field in ("containerStatuses", "initContainerStatuses")
            for each in status.get(field) or ()
            if (each.get("containerID") or "").endswith(suffix)
        ),
        {},
    )
