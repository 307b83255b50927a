"""Builds an image from a folder's image.yaml: one compile command, some files, an entry point."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import msgspec

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.install.oci import Image, ImageConfig, pack


class ImageFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """image.yaml. `{out}` in `build` and `files` is a folder for what the build makes."""

    name: str
    tag: str = "latest"
    build: list[str] = []
    files: dict[str, str] = {}
    entrypoint: list[str] = []
    command: list[str] = []
    environment: list[str] = []
    user: str = ""
    working_dir: str = ""


def read(folder: Path) -> ImageFile:
    path = folder / "image.yaml"
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=ImageFile)
    except FileNotFoundError as missing:
        raise _unusable(path, "there is no such file; it says what goes into the image") from missing
    except msgspec.MsgspecError as wrong:
        raise _unusable(path, str(wrong)) from wrong


def build(folder: Path, described: ImageFile) -> Image:
    with tempfile.TemporaryDirectory() as out:
        if described.build:
            _run([each.format(out=out) for each in described.build], folder)
        files = {name: folder / source.format(out=out) for name, source in described.files.items()}
        for source in files.values():
            if not source.exists():
                raise _unusable(source, "named in image.yaml, but there is no such file")
        config = ImageConfig(
            entrypoint=described.entrypoint,
            command=described.command,
            environment=described.environment,
            user=described.user,
            working_dir=described.working_dir,
        )
        return pack(files, config)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise _unusable(folder, f"{command[0]} is not installed") from missing
    if done.returncode:
        raise _unusable(folder, f"{' '.join(command)} failed:\n{done.stderr.strip()}")


def _unusable(path: Path, why: str) -> EdgeError:
    return EdgeError("build image from", str(path), why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
