"""/healthz, /livez, /readyz: named checks, one by one with `verbose`, less those in `exclude`; /metrics/slis counts them.

source  Kubernetes documentation "Kubernetes API health endpoints", "Kubernetes Component SLI Metrics"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from cybernetes.wire.http.message import Request, Response

# A check returns "" when all is well, else the reason, which only the log sees.
Checks = Mapping[str, Callable[[], str]]


class Health:
    """kinds: by the first part of the path the checks that are asked there."""

    def __init__(self, kinds: Mapping[str, Checks]) -> None:
        self._kinds = kinds
        # By name and kind; by name, status and kind.
        self._last: dict[tuple[str, str], bool] = {}
        self._count: Counter[tuple[str, str, str]] = Counter()

    def answer(self, request: Request) -> Response | None:
        """None for other paths."""
        kind = request.path.split("/")[1] if "/" in request.path else ""
        if kind not in self._kinds:
            return None
        return answer(request, {name: self._counted(kind, name, check) for name, check in self._kinds[kind].items()})

    def _counted(self, kind: str, name: str, check: Callable[[], str]) -> Callable[[], str]:
        def run() -> str:
            reason = check()
            self._last[name, kind] = not reason
            self._count[name, "error" if reason else "success", kind] += 1
            return reason

        return run

    def slis(self) -> Response:
        """How the checks went that somebody asked for."""
        last, total = "kubernetes_healthcheck", "kubernetes_healthchecks_total"
        lines = [
            f"# HELP {last} [STABLE] This metric records the result of a single healthcheck.",
            f"# TYPE {last} gauge",
            *(f'{last}{{name="{name}",type="{kind}"}} {ok:d}' for (name, kind), ok in sorted(self._last.items())),
            f"# HELP {total} [STABLE] This metric records the results of all healthcheck.",
            f"# TYPE {total} counter",
            *(
                f'{total}{{name="{name}",status="{status}",type="{kind}"}} {count}'
                for (name, status, kind), count in sorted(self._count.items())
            ),
        ]
        content = ("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        return Response(200, [content], ("\n".join(lines) + "\n").encode())


def answer(request: Request, checks: Checks) -> Response:
    """`path` is /KIND or /KIND/CHECK."""
    _, kind, *rest = request.path.split("/")
    if rest and rest[0]:
        if rest[0] not in checks:
            return _text(404, "404 page not found\n")
        checks = {rest[0]: checks[rest[0]]}
    excluded = set(request.query.get("exclude", []))
    lines, failed = [], []
    for name, check in checks.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok\n")
        elif check():
            failed.append(name)
            lines.append(f"[-]{name} failed: reason withheld\n")
        else:
            lines.append(f"[+]{name} ok\n")
    unknown = sorted(excluded - set(checks))
    if unknown:
        listed = ", ".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {listed}\n")
    if failed:
        return _text(500, "".join(lines) + f"{kind} check failed\n")
    if "verbose" in request.query:
        return _text(200, "".join(lines) + f"{kind} check passed\n")
    return _text(200, "ok")


def _text(status: int, message: str) -> Response:
    headers = [("Cache-Control", "no-cache, private"), ("Content-Type", "text/plain; charset=utf-8")]
    return Response(status, [*headers, ("X-Content-Type-Options", "nosniff")], message.encode())
