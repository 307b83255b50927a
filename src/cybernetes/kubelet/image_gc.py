"""Removes images that nobody uses when the disk fills up.

source  kubernetes.io "Garbage Collection", containers and images
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.kubelet.runtime.api import Image
from cybernetes.kubelet.tools import Tools

EVERY_S = 300.0
AGE_MIN_S = 120.0

_log = Log("kubelet")


class Known(msgspec.Struct, frozen=True):
    """When an image was first seen, and last in use; monotonic seconds."""

    seen: float
    used: float


def to_free(available: int, capacity: int, high_percent: int, low_percent: int) -> int:
    """Bytes that have to go so that usage falls to `low_percent`; 0 while it is below `high_percent`."""
    used = capacity - available
    if not capacity or used * 100 < capacity * high_percent:
        return 0
    return max(0, used - capacity * low_percent // 100)


def choose(
    images: Sequence[Image], known: Mapping[str, Known], used: set[str], want_bytes: int, now: float
) -> list[Image]:
    """Which images to remove: unused, not pinned, old enough; those unused for longest first."""
    old = [
        each
        for each in images
        if used.isdisjoint((each.id, *each.tags, *each.digests))
        and not each.pinned
        and each.id in known
        and now - known[each.id].seen >= AGE_MIN_S
    ]
    old.sort(key=lambda each: (known[each.id].used, known[each.id].seen))
    chosen = []
    for each in old:
        if want_bytes <= 0:
            break
        chosen.append(each)
        want_bytes -= each.size
    return chosen


class ImageCollector:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._known: dict[str, Known] = {}

    async def collect(self, in_use: Iterable[str], *, all_unused: bool = False) -> int:
        """Remove what has to go; the bytes freed. in_use: ids and names of images that containers and volumes use. Raises EdgeError."""
        tools, config = self._tools, self._tools.config
        images = await tools.runtime.list_images()
        used, now = set(in_use), tools.clock.monotonic()
        self._note(images, used, now)
        usage = tools.host.usage()
        want = to_free(
            usage.disk_available, usage.disk_capacity, config.image_gc_high_percent, config.image_gc_low_percent
        )
        freed = 0
        for image in choose(images, self._known, used, 1 << 62 if all_unused else want, now):
            try:
                await tools.runtime.remove_image(image.id)
            except EdgeError as error:
                _log.warning("image.kept", image=image.id, why=error.message)
                continue
            freed += image.size
            _log.info("image.removed", image=image.id, bytes=image.size)
        return freed

    def _note(self, images: Sequence[Image], used: set[str], now: float) -> None:
        self._known = {
            each.id: Known(
                self._known[each.id].seen if each.id in self._known else now,
                now
                if not used.isdisjoint((each.id, *each.tags, *each.digests)) or each.id not in self._known
                else self._known[each.id].used,
            )
            for each in images
        }
