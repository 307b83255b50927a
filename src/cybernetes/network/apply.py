"""Makes a node's network what a plan says, by the difference to what is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.private_file import write_private
from cybernetes.network.links.api import Links, Route
from cybernetes.network.plan import CNI_FILE, FORWARD_IPV6, Desired


async def apply(desired: Desired, before: Desired, links: Links, conf_dir: Path) -> EdgeError | None:
    """before: what was applied last, so that only changes cost; a fresh Desired() for everything.

    Returns the first route that was refused: a node that cannot be reached must not keep pods of this one from
    starting. Raises EdgeError for everything else.

    Routes are compared with the kernel's. The CNI file comes last: it is what tells the runtime that pods can start.
    """
    if desired.sysctls != before.sysctls:
        if FORWARD_IPV6 in desired.sysctls:
            await links.keep_routers()
        await links.set_sysctls(desired.sysctls)
    failed = await _apply_routes(desired.routes, links)
    if desired.masquerade is not None and desired.masquerade != before.masquerade:
        await links.masquerade(desired.masquerade)
    if desired.cni:
        await asyncio.to_thread(replace_file, conf_dir / CNI_FILE, desired.cni)
    # Every time: the machine's policy may have changed since. Last: a machine without usable iptables drops nothing.
    await links.accept_forwarding(desired.forwarded)
    return failed


async def _apply_routes(desired: frozenset[Route], links: Links) -> EdgeError | None:
    there = await links.routes()
    kept = {route.destination for route in desired}
    failed: EdgeError | None = None
    for route in sorted(desired - there):
        try:
            await links.add_route(route)
        except EdgeError as error:
            failed = failed or error
    for route in sorted(there - desired):
        if route.destination not in kept:
            await links.remove_route(route)
    return failed


async def remove(links: Links, conf_dir: Path) -> None:
    """Take everything back that was applied; sysctls stay, since others may rely on them by now."""
    (conf_dir / CNI_FILE).unlink(missing_ok=True)
    for route in sorted(await links.routes()):
        await links.remove_route(route)
    await links.masquerade(None)
    await links.accept_forwarding(())


def replace_file(path: Path, content: bytes) -> None:
    """Whole or not at all, also across a crash; readable by root only; untouched when it is right already."""
    try:
        if not path.exists() or path.read_bytes() != content:
            write_private(path, content)
    except OSError as failed:
        raise EdgeError("write", str(path), str(failed), outcome=Outcome.UNKNOWN) from failed
