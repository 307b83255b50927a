"""Images packed from files: the layout that container runtimes read."""

import gzip
import hashlib
import json
import tarfile
from pathlib import Path

from cybernetes.install.oci import ImageConfig, pack, write_archive


def an_image(tmp_path: Path):
    binary = tmp_path / "tool"
    binary.write_bytes(b"#!/bin/true\n")
    binary.chmod(0o755)
    return pack({"/bin/tool": binary}, ImageConfig(entrypoint=["/bin/tool"], user="65532"))


def test_every_blob_is_named_by_its_digest(tmp_path: Path) -> None:
    image = an_image(tmp_path)
    assert image.blobs
    for digest, blob in image.blobs.items():
        assert digest == "sha256:" + hashlib.sha256(blob).hexdigest()


def test_the_config_names_the_uncompressed_layer(tmp_path: Path) -> None:
    image = an_image(tmp_path)
    manifest = json.loads(image.blobs[image.manifest])
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    layer = gzip.decompress(image.blobs[manifest["layers"][0]["digest"]])
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    assert config["config"]["Entrypoint"] == ["/bin/tool"]
    assert config["config"]["User"] == "65532"


def test_the_same_files_give_the_same_digest(tmp_path: Path) -> None:
    assert an_image(tmp_path).manifest == an_image(tmp_path).manifest


def test_an_archive_names_the_image_for_containerd(tmp_path: Path) -> None:
    image = an_image(tmp_path)
    write_archive(image, "registry.test/tool:1", tmp_path / "tool.tar")
    with tarfile.open(tmp_path / "tool.tar") as archive:
        index = json.load(archive.extractfile("index.json"))
        names = archive.getnames()
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == "registry.test/tool:1"
    assert all("blobs/" + digest.replace(":", "/") in names for digest in image.blobs)
