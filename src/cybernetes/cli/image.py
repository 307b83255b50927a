from __future__ import annotations

import ssl
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.install import image_build, oci, registry
from cybernetes.run import config as cluster_config
from cybernetes.run import files
from cybernetes.run.layout import Layout


@click.group()
def command() -> None:
    """Build images from folders, without Docker, and push them to the cluster's registry."""


@command.command("build")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True, resolve_path=True))
@click.option("--push", is_flag=True, help=f"Push it to the cluster's registry, {registry.REGISTRY_NAME}.")
@click.option("--archive", type=options.NewFile(), help="Write an OCI archive there.")
@options.data_dir
def build(folder: Path, push: bool, archive: Path | None, data_dir: Path) -> None:
    """Build the image that FOLDER/image.yaml describes.

    \b
    image.yaml:
      name: hello
      tag: "1"
      build: [cc, -static, -o, "{out}/hello", hello.c]
      files: {/hello: "{out}/hello"}
      entrypoint: [/hello]
    """
    described = image_build.read(folder)
    image = image_build.build(folder, described)
    reference = f"{registry.REGISTRY_NAME}/{described.name}:{described.tag}"
    if archive is not None:
        oci.write_archive(image, reference, archive)
        click.echo(f"wrote {archive}")
    if push:
        _push(image, described, data_dir)
    click.echo(f"{reference} {image.manifest}")


def _push(image: oci.Image, described: image_build.ImageFile, data_dir: Path) -> None:
    layout = Layout(data_dir)
    config = cluster_config.read(layout.config)
    client = files.registry_client(layout)
    context = ssl.create_default_context(cafile=str(files.ca(layout).certificate))
    context.load_cert_chain(client.certificate, client.key)
    to = registry.RegistryClient(config.registry_address, registry.REGISTRY_PORT, context)
    if not to.has(described.name, described.tag, image.manifest):
        to.push(image, described.name, described.tag)
