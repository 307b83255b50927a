"""Packs files into OCI images, as an archive or pushed to a registry.

Layers are deterministic (sorted, epoch times), so the same files give the same digest.
source  OCI Image Format Specification 1.0, OCI Distribution Specification 1.0
"""

from __future__ import annotations

import gzip
import hashlib
import io
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import orjson

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_INDEX = "application/vnd.oci.image.index.v1+json"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Image(msgspec.Struct, frozen=True):
    """blobs by digest; the manifest is one of them."""

    manifest: str
    blobs: Mapping[str, bytes]


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Sequence[str] = ()
    user: str = ""
    working_dir: str = ""
    volumes: Sequence[str] = ()
    stop_signal: str = ""


def architecture() -> str:
    """GOARCH of this machine."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def pack(files: Mapping[str, Path], config: ImageConfig) -> Image:
    """An image of one layer that holds `files` (path in the image -> file on this machine), modes kept."""
    layer = _layer(files)
    compressed = gzip.compress(layer, 6, mtime=0)
    config_blob = orjson.dumps(_config_document(config, _digest(layer)))
    manifest = orjson.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config_blob),
            "layers": [_descriptor(_LAYER, compressed)],
        }
    )
    return Image(_digest(manifest), {_digest(blob): blob for blob in (config_blob, compressed, manifest)})


def write_archive(image: Image, reference: str, path: Path) -> None:
    """An OCI layout archive that `ctr images import` takes; `reference` is the whole name, registry included."""
    manifest = _descriptor(_MANIFEST, image.blobs[image.manifest])
    annotations = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
    }
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [{**manifest, "annotations": annotations}]}
    with tarfile.open(path, "w") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644)
        _add(archive, "index.json", orjson.dumps(index), 0o644)
        for digest, blob in sorted(image.blobs.items()):
            _add(archive, "blobs/" + digest.replace(":", "/"), blob, 0o644)


def _config_document(config: ImageConfig, diff_id: str) -> dict[str, object]:
    run = {
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.command),
        "Env": list(config.environment) or ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "User": config.user,
        "WorkingDir": config.working_dir,
        "StopSignal": config.stop_signal,
        "Volumes": {each: {} for each in config.volumes},
    }
    return {
        "architecture": architecture(),
        "os": "linux",
        "config": {name: value for name, value in run.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "cybernetes image build"}],
    }


def _layer(files: Mapping[str, Path]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in sorted({str(parent)[1:] for name in files for parent in Path(name).parents} - {""}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, source in sorted(files.items()):
            if source.is_symlink():
                entry = tarfile.TarInfo(name[1:])
                entry.type, entry.linkname = tarfile.SYMTYPE, str(source.readlink())
                archive.addfile(entry)
            else:
                _add(archive, name[1:], source.read_bytes(), source.stat().st_mode & 0o7777)
    return out.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()
