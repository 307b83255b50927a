"""/healthz, /livez, /readyz: named checks, one by one with `verbose`, less those in `exclude`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cybernetes.wire.http.message import Request, Response

# A check returns "" when all is well, else the reason, which only the log sees.
Checks = Mapping[str, Callable[[], str]]


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
