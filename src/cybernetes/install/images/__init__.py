"""Images that every node needs, made from files that ship with this package."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.install import containerd, oci
from cybernetes.run.layout import NodeLayout

_FOLDER = Path(__file__).parent
_NOBODY = "65535:65535"


def import_pause(node: NodeLayout) -> None:
    """Put the sandbox image into a node's image store, where it is not there yet."""
    if containerd.has_image(node, containerd.PAUSE_IMAGE):
        return
    binary = _FOLDER / "pause"
    if not binary.exists():
        raise EdgeError("find", str(binary), "run: make build", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
    image = oci.pack({"/pause": binary}, oci.ImageConfig(entrypoint=["/pause"], user=_NOBODY))
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "pause.tar"
        oci.write_archive(image, containerd.PAUSE_IMAGE, archive)
        containerd.import_image(node, archive)
