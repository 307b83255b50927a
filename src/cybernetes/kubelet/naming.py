"""What a pod calls itself and whom it asks for names: host name, /etc/hosts, resolv.conf. Pure.

source  kubernetes.io "DNS for Services and Pods"
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.kubelet import pods
from cybernetes.kubelet.pods import Object

HOSTNAME_MAX = 63
FQDN_MAX = 64
NAMESERVERS_MAX = 3
SEARCHES_MAX = 32
SEARCH_CHARACTERS_MAX = 2048

_HOSTS_HEAD = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
_HOSTS_HOST_HEAD = "# Kubernetes-managed hosts file (host network).\n"


class NamingError(Exception):
    """The pod's names can't be made as its spec says."""


class DnsConfig(msgspec.Struct, frozen=True):
    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def hostname(pod: Object) -> str:
    spec = pod["spec"]
    if spec.get("hostnameOverride"):
        return str(spec["hostnameOverride"])
    return str(spec.get("hostname") or pod["metadata"]["name"])[:HOSTNAME_MAX].rstrip("-.")


def domain(pod: Object, cluster_domain: str) -> str:
    """`SUBDOMAIN.NAMESPACE.svc.DOMAIN`; "" without a subdomain."""
    subdomain = pod["spec"].get("subdomain")
    if not subdomain or pod["spec"].get("hostnameOverride"):
        return ""
    return f"{subdomain}.{pod['metadata']['namespace']}.svc.{cluster_domain}"


def kernel_hostname(pod: Object, cluster_domain: str) -> str:
    """The host name the sandbox gets; "" in the host's network. Raises NamingError when it is too long."""
    if pods.is_host_network(pod) and not pod["spec"].get("hostnameOverride"):
        return ""
    name, zone = hostname(pod), domain(pod, cluster_domain)
    if not pod["spec"].get("setHostnameAsFQDN") or not zone:
        return name
    full = f"{name}.{zone}"
    if len(full) > FQDN_MAX:
        raise NamingError(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long "
            f"({FQDN_MAX} characters is the max, {len(full)} characters requested)"
        )
    return full


def hosts_file(pod: Object, ips: Sequence[str], cluster_domain: str, node_hosts: str) -> str:
    """The text of the pod's /etc/hosts; `node_hosts` is the node's own, for pods in its network."""
    if pods.is_host_network(pod):
        text = _HOSTS_HOST_HEAD + node_hosts
    else:
        name, zone = hostname(pod), domain(pod, cluster_domain)
        names = f"{name}.{zone}\t{name}" if zone else name
        text = _HOSTS_HEAD + "".join(f"{ip}\t{names}\n" for ip in ips)
    aliases = pod["spec"].get("hostAliases") or ()
    if not aliases:
        return text
    lines = "".join(f"{each['ip']}\t" + "\t".join(each.get("hostnames") or ()) + "\n" for each in aliases)
    return f"{text}\n# Entries added by HostAliases.\n{lines}"


def parse_resolv_conf(text: str) -> DnsConfig:
    """The last `search` line wins, as for the C library."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        fields = line.split()
        if not fields or fields[0][0] in "#;":
            continue
        if fields[0] == "nameserver" and len(fields) > 1:
            servers.append(fields[1])
        elif fields[0] == "search":
            searches = [each if each == "." else each.removesuffix(".") for each in fields[1:]]
        elif fields[0] == "options":
            options += [each for each in fields[1:] if each not in options]
    return DnsConfig(tuple(servers), tuple(searches), tuple(options))


def dns_config(
    pod: Object, node: DnsConfig, cluster_dns: Sequence[str], cluster_domain: str
) -> tuple[DnsConfig, list[str]]:
    """The pod's resolver, and the warnings of limits that were exceeded."""
    policy = pod["spec"].get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and pods.is_host_network(pod):
        policy = "Default"
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and cluster_dns:
        zone = f"svc.{cluster_domain}" if cluster_domain else ""
        own = (f"{pod['metadata']['namespace']}.{zone}", zone, cluster_domain) if cluster_domain else ()
        base = DnsConfig(tuple(cluster_dns), _unique((*own, *node.searches)), ("ndots:5",))
    elif policy == "None":
        base = DnsConfig()
    else:
        base = node
    return _limited(_merged(base, pod["spec"].get("dnsConfig") or {}))


def _merged(base: DnsConfig, more: Object) -> DnsConfig:
    options = {each.partition(":")[0]: each.partition(":")[2] for each in base.options}
    for option in more.get("options") or ():
        options[option["name"]] = str(option.get("value") or "")
    return DnsConfig(
        servers=_unique((*base.servers, *(more.get("nameservers") or ()))),
        searches=_unique((*base.searches, *(more.get("searches") or ()))),
        options=tuple(f"{name}:{value}" if value else name for name, value in options.items()),
    )


def _unique(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _limited(wanted: DnsConfig) -> tuple[DnsConfig, list[str]]:
    warnings = []
    servers = wanted.servers[:NAMESERVERS_MAX]
    if servers != wanted.servers:
        warnings.append(
            "Nameserver limits were exceeded, some nameservers have been omitted, "
            f"the applied nameserver line is: {' '.join(servers)}"
        )
    searches = list(wanted.searches[:SEARCHES_MAX])
    while len(" ".join(searches)) > SEARCH_CHARACTERS_MAX:
        searches.pop()
    if len(searches) < len(wanted.searches):
        warnings.append(
            "Search Line limits were exceeded, some search paths have been omitted, "
            f"the applied search line is: {' '.join(searches)}"
        )
    return DnsConfig(servers, tuple(searches), wanted.options), warnings


def resolv_conf(config: DnsConfig) -> str:
    lines = [f"nameserver {each}" for each in config.servers]
    if config.searches:
        lines.append("search " + " ".join(config.searches))
    if config.options:
        lines.append("options " + " ".join(config.options))
    return "".join(f"{line}\n" for line in lines)
