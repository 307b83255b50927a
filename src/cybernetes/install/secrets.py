"""A new key for the store: written to its file, taken up by the running API server, which seals all Secrets again."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from pathlib import Path

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.private_file import write_private
from cybernetes.base.random import SystemRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import connect
from cybernetes.install.rotation import refuse_with_others
from cybernetes.run import config as cluster_config
from cybernetes.run import files
from cybernetes.run.layout import Layout

# The server looks every two seconds, and writes some thousand values a second.
WAIT_S = 300.0
_LOOK_S = 0.25
# History goes after five minutes; somebody who rotates again and again meanwhile still leaves it readable.
KEYS_MAX = 4
_IN_USE = re.compile(r'apiserver_encryption_config_controller_last_config_info\{hash="([^"]+)"\} 1')
_REWRITING = re.compile(r"^cybernetes_encryption_rewriting 1", re.MULTILINE)


async def rotate(layout: Layout) -> None:
    """Return when every Secret is sealed with the new key. Raises EdgeError.

    Keys before it stay in the file for a while: history that was not compacted yet is sealed with them.
    """
    await refuse_with_others(cluster_config.read(layout.config), layout, "the key of Secrets")
    client = connect(layout.admin_kubeconfig, user_agent="cybernetes-secrets", clock=SystemClock())
    try:
        # Not before all is sealed with the key that is first now: those far behind it are dropped.
        await _wait(client, layout, "use the keys in")
        path = files.envelope_key(layout)
        keys = [b64encode(SystemRandom().token(32)), *path.read_bytes().split()][:KEYS_MAX]
        write_private(path, b"".join(key + b"\n" for key in keys))
        await _wait(client, layout, "take up the new key in")
    finally:
        await client.close()


async def _wait(client: ApiClient, layout: Layout, what: str) -> None:
    wanted = files.fingerprint(files.envelope_key(layout).read_bytes(), _configuration(layout))
    try:
        async with asyncio.timeout(WAIT_S):
            while not _done(await _metrics(client), wanted):  # noqa: ASYNC110 -- asked, as any client would
                await asyncio.sleep(_LOOK_S)
    except TimeoutError as late:
        why = f"the API server did not within {WAIT_S:.0f} s; see: {layout.command('logs apiserver')}"
        raise EdgeError(
            what, str(files.envelope_key(layout)), why, outcome=Outcome.UNKNOWN, retry=Retry.LATER
        ) from late


def _done(metrics: str, wanted: str) -> bool:
    # Of several processes each tells the one that it uses.
    return set(_IN_USE.findall(metrics)) == {wanted} and not _REWRITING.search(metrics)


async def _metrics(client: ApiClient) -> str:
    body = (await client.raw("GET", "/metrics")).body
    assert isinstance(body, bytes)
    return body.decode()


def _configuration(layout: Layout) -> bytes:
    path = cluster_config.read(layout.config).api_server.extra_args.encryption_provider_config
    return Path(path).read_bytes() if path else b""
