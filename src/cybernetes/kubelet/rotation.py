"""Keeps container logs small: a log that has grown too large is set aside, old ones are compressed, then removed.

source  kubernetes.io "Logging Architecture", log rotation
"""

from __future__ import annotations

import asyncio
import gzip
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.kubelet.runtime.api import ContainerStatus, NotFound
from cybernetes.kubelet.tools import Tools

EVERY_S = 10.0

_log = Log("kubelet")


async def rotate(tools: Tools, containers: Iterable[ContainerStatus]) -> None:
    """Look at the logs of running containers once."""
    config = tools.config
    for container in containers:
        path = Path(container.log_path)
        if not container.log_path or _size(path) <= config.log_size_max:
            continue
        try:
            aside = await asyncio.to_thread(_set_aside, path, tools.clock.now())
            await _reopen(tools, container, path, aside)
            await asyncio.to_thread(_tidy, path, config.log_files_max)
        except (OSError, EdgeError) as error:
            _log.warning("log.unrotated", path=str(path), why=str(error))


async def _reopen(tools: Tools, container: ContainerStatus, path: Path, aside: Path) -> None:
    """The runtime has to open a new file; else the old one takes its name back, so that nothing is lost."""
    try:
        await tools.runtime.reopen_log(container.id)
    except (EdgeError, NotFound) as error:
        _put_back(path, aside)
        raise EdgeError("reopen log of", container.name, str(error)) from error


def _put_back(path: Path, aside: Path) -> None:
    if not path.exists():
        aside.rename(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _set_aside(path: Path, now: float) -> Path:
    aside = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}")
    path.rename(aside)
    return aside


def _tidy(path: Path, files_max: int) -> None:
    """Compress all that was set aside but the newest; keep so many that all together are `files_max`."""
    old = sorted(each for each in path.parent.glob(f"{path.name}.*") if not each.name.endswith(".tmp"))
    for each in old[: max(0, len(old) - (files_max - 1))]:
        each.unlink(missing_ok=True)
        old.remove(each)
    for each in old[:-1]:
        if each.suffix != ".gz":
            _compress(each)


def _compress(path: Path) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    with path.open("rb") as source, gzip.open(temporary, "wb", 6) as target:
        shutil.copyfileobj(source, target)
    temporary.rename(path.with_name(f"{path.name}.gz"))
    path.unlink()
