"""ImageLocality: prefer nodes that already have the pod's images, weighed by how many nodes have them."""

from __future__ import annotations

from array import array

from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.objects import PodSpec

MIB = 1024 * 1024
LOW_BYTES = 23 * MIB
HIGH_BYTES_EACH = 1000 * MIB


def image_names(spec: PodSpec) -> list[str]:
    found = [each.image for each in spec.init_containers or ()]
    found += [each.image for each in spec.containers]
    found += [each.image.reference for each in spec.volumes or () if each.image is not None]
    return [_with_tag(name) for name in found]


class ImageScores:
    """The scores of one template's images; kept until a node comes, goes, or has other images."""

    def __init__(self, columns: Columns, spec: PodSpec) -> None:
        self.version = columns.image_version
        self.rows = len(columns.names)
        self.scores = score_images(columns, spec, self.rows)

    def is_current(self, columns: Columns) -> bool:
        return self.version == columns.image_version and self.rows == len(columns.names)


def score_images(columns: Columns, spec: PodSpec, rows: int) -> array[int] | None:
    """0..100 by row; None when no node has any of the images, which is a score of 0 everywhere."""
    names = image_names(spec)
    sums: dict[int, int] = {}
    for name in names:
        image = columns.images.get(name)
        if image is not None and columns.count:
            share = int(float(image.size_bytes()) * (float(len(image.sizes)) / float(columns.count)))
            for row in image.sizes:
                sums[row] = sums.get(row, 0) + share
    if not sums:
        return None
    high = HIGH_BYTES_EACH * len(names)
    out = array("q", bytes(8 * rows))
    for row, total in sums.items():
        out[row] = 100 * (min(max(total, LOW_BYTES), high) - LOW_BYTES) // (high - LOW_BYTES)
    return out


def _with_tag(name: str) -> str:
    return name if name.rfind(":") > name.rfind("/") else f"{name}:latest"
