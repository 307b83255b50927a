from __future__ import annotations

import http.client
import ipaddress
import urllib.parse
from pathlib import Path

import click

from cybernetes.cli import options
from cybernetes.run import config as cluster_config

_TIMEOUT_S = 5


@click.command()
@click.argument("url")
@options.data_dir
def command(url: str, data_dir: Path) -> None:
    """Fetch a URL by its name in the cluster's DNS, from this machine.

    \b
    cybernetes fetch http://hello.hello.svc.cluster.local/
    """
    config = cluster_config.read(options.existing(data_dir).config)
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise click.UsageError("give a URL that begins with http://")
    address = _resolve(parts.hostname, config.network.dns_address)
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    connection = http.client.HTTPConnection(address, parts.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Host": parts.netloc})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as broken:
        raise click.ClickException(
            f"{url} at {address}: {broken}; look at the endpoints: cybernetes kubectl get endpointslices -A"
        ) from broken
    click.echo(body.decode(errors="replace"), nl=False)
    if answer.status >= 400:
        raise SystemExit(1)


def _resolve(host: str, dns_address: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    import dns.exception
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [dns_address]
    resolver.lifetime = _TIMEOUT_S
    try:
        return str(resolver.resolve(host, "A")[0])
    except dns.exception.DNSException as failed:
        raise click.ClickException(f"the cluster's DNS at {dns_address} did not resolve {host}: {failed}") from failed
