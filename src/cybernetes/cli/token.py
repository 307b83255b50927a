from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.run.layout import Layout

_HOUR_S = 3600.0


@click.group()
def command() -> None:
    """Invite machines to join the cluster as nodes."""


@command.command()
@click.option("--hours", type=click.FloatRange(min=0.1), default=24, show_default=True, help="How long it is valid.")
@click.option("--control-plane", is_flag=True, help="For another machine of the control plane, not only a node.")
@options.data_dir
def create(hours: float, control_plane: bool, data_dir: Path) -> None:
    """Make a token, and print what to type on the next machine.

    Whoever has the token can add nodes while it is valid; it can be used more than once. The command of
    --control-plane carries a key to the cluster's authorities: keep it to yourself.
    """
    from cybernetes.base.clock import SystemClock
    from cybernetes.base.random import SystemRandom
    from cybernetes.client.api import ApiClient
    from cybernetes.install import sealing
    from cybernetes.install.joining import authorities, invitation
    from cybernetes.run import config as cluster_config
    from cybernetes.run import files

    layout = options.administered(data_dir)
    config = cluster_config.read(layout.config)
    if config.joined:
        raise click.ClickException("this machine is only a node; type it where the control plane is")
    if config.is_loopback_only:
        raise click.ClickException(
            f"the API server is at {config.server_url}, where other machines can't reach it. Type "
            f"{options.command('down --keep-data', data_dir)}, set bindAddress: 0.0.0.0 and advertiseAddress: ADDRESS "
            f"(of this machine) below apiServer in {layout.config}, then type {options.command('up', data_dir)}"
        )
    if control_plane and (why := authorities.why_not(config)):
        raise click.ClickException(why)
    authority = files.ca(layout).certificate.read_bytes()
    random = SystemRandom()
    token, key = invitation.new_token(random), random.token(sealing.KEY_BYTES)

    async def invite(client: ApiClient) -> None:
        groups = authorities.GROUPS if control_plane else (invitation.JOINERS,)
        expires = SystemClock().now() + hours * _HOUR_S
        secret = await invitation.invite(client, config, authority, token, expires, groups)
        if control_plane:
            await authorities.publish(client, config, layout, secret, key, random)

    _with_client(layout, invite)
    words = ["cybernetes", "join", config.server_url, "--token", str(token)]
    words += ["--ca-hash", invitation.authority_hash(authority)]
    click.echo(" ".join([*words, *(["--control-plane-key", key.hex()] if control_plane else ())]))


@command.command("list")
@options.data_dir
def show(data_dir: Path) -> None:
    """Show the tokens, without their secrets."""
    from cybernetes.client.api import ApiClient
    from cybernetes.client.target import SECRETS
    from cybernetes.install.joining.invitation import TOKEN_PREFIX

    async def rows(client: ApiClient) -> None:
        selector = "type=bootstrap.kubernetes.io/token"
        page = await client.list(SECRETS, namespace="kube-system", field_selector=selector)
        click.echo(f"{'ID':8} EXPIRES")
        for each in page.objects():
            expires = base64.b64decode(each["data"].get("expiration", "")).decode() or "never"
            click.echo(f"{each['metadata']['name'].removeprefix(TOKEN_PREFIX):8} {expires}")

    _with_client(options.administered(data_dir), rows)


@command.command()
@click.argument("token_id", metavar="ID")
@options.data_dir
def delete(token_id: str, data_dir: Path) -> None:
    """Take a token back; nodes that joined with it stay."""
    from cybernetes.base.errors import ApiError
    from cybernetes.client.api import ApiClient, is_reason
    from cybernetes.client.target import SECRETS
    from cybernetes.install.joining.invitation import TOKEN_PREFIX

    name = token_id.partition(".")[0]

    async def remove(client: ApiClient) -> None:
        try:
            await client.delete(SECRETS, TOKEN_PREFIX + name, namespace="kube-system")
        except ApiError as refusal:
            if not is_reason(refusal, "NotFound"):
                raise
            known = options.command("token list", data_dir)
            raise click.ClickException(f"no token {name!r}; these are there: {known}") from refusal

    _with_client(options.administered(data_dir), remove)


def _with_client(layout: Layout, use: Callable[..., Awaitable[None]]) -> None:
    from cybernetes.base.clock import SystemClock
    from cybernetes.client.kubeconfig import connect

    async def run() -> None:
        client = connect(layout.admin_kubeconfig, user_agent="cybernetes-token", clock=SystemClock())
        try:
            await use(client)
        finally:
            await client.close()

    asyncio.run(run())
