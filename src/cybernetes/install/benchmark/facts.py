"""What the checks look at, collected once."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from pathlib import Path

import msgspec

from cybernetes.apiserver.admission import builtin
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.wire.http.tls import server_context

TIMEOUT_S = 3.0
KUBELET, KUBELET_READ_ONLY = 10250, 10255
CONTROLLERS, SCHEDULER, PROXY_METRICS = 10257, 10259, 10249


class FileFact(msgspec.Struct, frozen=True):
    path: str
    mode: int
    uid: int
    gid: int


class Facts(msgspec.Struct, frozen=True):
    """files: by kind. answers: question -> status code of a server, 0 where nobody listens. open: (address, port)."""

    config: ClusterConfig
    layout: Layout
    files: dict[str, list[FileFact]]
    answers: dict[str, int]
    open: frozenset[tuple[str, int]]
    plugins: frozenset[str]
    tls: ssl.SSLContext | None
    kubelet: KubeletConfig
    etcd: tuple[str, ...] = ()
    audit_policy: bytes = b""


def collect(config: ClusterConfig, layout: Layout) -> Facts:
    api = files.api_server(layout)
    addresses = [each.address for each in config.nodes]
    ports = (KUBELET_READ_ONLY, CONTROLLERS, SCHEDULER, PROXY_METRICS)
    return Facts(
        config=config,
        layout=layout,
        files=_files(config, layout),
        answers=_answers(config, layout),
        open=frozenset((address, port) for address in addresses for port in ports if _listens(address, port)),
        plugins=frozenset(each.name for each in vars(builtin).values() if isinstance(getattr(each, "name", None), str)),
        tls=server_context(api.certificate, api.key) if api.key.exists() else None,
        kubelet=KubeletConfig(node_name="n", node_ip="0.0.0.0"),
        etcd=_etcd_command(layout),
        audit_policy=_policy(config, layout),
    )


def _policy(config: ClusterConfig, layout: Layout) -> bytes:
    named = config.api_server.extra_args.audit_policy_file
    path = layout.audit_policy if named is None else Path(named)
    return path.read_bytes() if path.is_file() else b""


def _files(config: ClusterConfig, layout: Layout) -> dict[str, list[FileFact]]:
    pki = sorted(layout.pki.glob("*"))
    nodes = [layout.node(each.name) for each in config.nodes]
    found = {
        "configuration": [layout.config, layout.audit_policy],
        "kubeconfigs": [
            layout.admin_kubeconfig,
            files.super_admin_kubeconfig(layout),
            *sorted(layout.kubeconfig("x").parent.glob("*.conf")),
        ],
        "keys": [path for path in pki if path.suffix == ".key"],
        "certificates": [path for path in pki if path.suffix in (".crt", ".pub")],
        "folders": [layout.data_dir, layout.pki],
        "store": [layout.store.parent, *sorted(layout.store.parent.glob("state.db*"))],
        "etcd": [layout.etcd],
        "cni": [path for node in nodes for path in sorted(node.cni_conf.glob("*"))],
        "audit": [layout.audit_log.parent, layout.audit_log],
    }
    return {kind: [_fact(path) for path in paths if path.exists()] for kind, paths in found.items()}


def _fact(path: Path) -> FileFact:
    stat = path.stat()
    return FileFact(str(path), stat.st_mode & 0o7777, stat.st_uid, stat.st_gid)


def _answers(config: ClusterConfig, layout: Layout) -> dict[str, int]:
    api = ("127.0.0.1", config.api_server.port)
    admin = files.of(layout, "client-admin")
    found = {
        "anonymous at the API": _ask(api, "/api"),
        "anonymous health": _ask(api, "/livez"),
        "profiling of the API server": _ask(api, "/debug/pprof/profile", admin),
    }
    for node in config.nodes:
        kubelet = (node.address, KUBELET)
        found[f"anonymous at the kubelet of {node.name}"] = _ask(kubelet, "/pods")
        found[f"anyone at the kubelet of {node.name}"] = _ask(kubelet, "/pods", files.registry_client(layout))
    return found


def _ask(where: tuple[str, int], path: str, who: files.CertificateFiles | None = None) -> int:
    """The status of an answer; 0 where there was none. Which authority the server has is not the question here."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if who is not None and who.key.exists():
        context.load_cert_chain(who.certificate, who.key)
    connection = http.client.HTTPSConnection(*where, timeout=TIMEOUT_S, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _listens(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.settimeout(TIMEOUT_S)
        return probe.connect_ex((address, port)) == 0


def _etcd_command(layout: Layout) -> tuple[str, ...]:
    """How the etcd that was started here was started; () when none runs."""
    for folder in Path("/proc").iterdir() if os.path.isdir("/proc") else ():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
        except OSError:
            continue
        if words and words[0].endswith(b"etcd") and f"--data-dir={layout.etcd}".encode() in words:
            return tuple(each.decode(errors="replace") for each in words if each)
    return ()
