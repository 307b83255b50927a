"""What probes mean: thresholds, initial results, targets. Pure.

source  kubernetes.io "Configure Liveness, Readiness and Startup Probes"
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from cybernetes.kubelet.pods import Object


class Kind(enum.Enum):
    STARTUP = "startup"
    LIVENESS = "liveness"
    READINESS = "readiness"

    @property
    def field(self) -> str:
        return f"{self.value}Probe"

    @property
    def title(self) -> str:
        return self.value.capitalize()


class Answer(enum.Enum):
    SUCCESS = "success"
    # Counts as success, but a user should hear of it.
    WARNING = "warning"
    FAILURE = "failure"
    # The probe itself could not be carried out.
    UNKNOWN = "unknown"


class Result(msgspec.Struct, frozen=True):
    answer: Answer
    output: str = ""


class Tally(msgspec.Struct, frozen=True):
    """Equal results in a row, and what has been decided; decided is None before the first threshold."""

    good: bool | None = None
    run: int = 0
    decided: bool | None = None


def fold(tally: Tally, good: bool, probe: Object) -> Tally:
    """The tally after one more result."""
    run = tally.run + 1 if tally.good is good else 1
    limit = int(probe.get("successThreshold") or 1) if good else int(probe.get("failureThreshold") or 3)
    return Tally(good, run, good if run >= limit else tally.decided)


def period_s(probe: Object) -> float:
    return float(probe.get("periodSeconds") or 10)


def timeout_s(probe: Object) -> float:
    return float(probe.get("timeoutSeconds") or 1)


def initial_delay_s(probe: Object) -> float:
    return float(probe.get("initialDelaySeconds") or 0)


class UnknownPort(Exception):
    """The probe names a port that the container does not have."""


def port_number(container: Object, port: int | str) -> int:
    """The number of a port given by number or by name. Raises UnknownPort."""
    if isinstance(port, int):
        return port
    for each in container.get("ports") or ():
        if each.get("name") == port:
            return int(each["containerPort"])
    if port.isdigit():
        return int(port)
    raise UnknownPort(f'couldn\'t find port: {port} in container "{container["name"]}"')


class HttpTarget(msgspec.Struct, frozen=True):
    """headers as given, User-Agent and Accept included; a Host header replaces the address as the name asked for."""

    scheme: str
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...]

    @property
    def url(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{shown}:{self.port}{self.path}"


def http_target(action: Object, container: Object, pod_ip: str, user_agent: str) -> HttpTarget:
    given = [(each["name"], each.get("value", "")) for each in action.get("httpHeaders") or ()]
    names = {name.lower() for name, _ in given}
    standard = [("User-Agent", user_agent), ("Accept", "*/*")]
    path = action.get("path") or "/"
    return HttpTarget(
        scheme=(action.get("scheme") or "HTTP").lower(),
        host=action.get("host") or pod_ip,
        port=port_number(container, action["port"]),
        path=path if path.startswith("/") else f"/{path}",
        # An empty value means: leave this header out.
        headers=tuple(
            (name, value)
            for name, value in (*given, *(each for each in standard if each[0].lower() not in names))
            if value or name.lower() not in ("user-agent", "accept")
        ),
    )


def of_container(container: Object) -> Sequence[Kind]:
    return [kind for kind in Kind if container.get(kind.field)]
