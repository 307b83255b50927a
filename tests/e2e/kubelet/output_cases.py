"""Containers that run once, and what they have to print: environments, commands, users, rights, names.

source  the project's list of conformance behaviours, area node
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
from tests.e2e.kubelet.cluster import NODE, SHELL
from tests.e2e.kubelet.testbed import USER

Object = dict[str, Any]
RESOURCES = {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "1250m", "memory": "64Mi"}}


class Case(msgspec.Struct, frozen=True):
    """One container. Cases of equal pods share one.

    shows  the behaviour in words
    says   lines that have to be in its output, in order; `<pod>`, `<cpu>` and `<memory>` stand for the
           pod's name and for what the node can give, here and in the container
    spec   of the pod around it
    """

    shows: str
    container: Object
    says: tuple[str, ...]
    spec: Object = {}


def case(shows: str, script: str, *says: str, spec: Object | None = None, **container: Any) -> Case:
    command = {"command": ["sh", "-c", script]} if script else {}
    return Case(shows, {"image": SHELL, "imagePullPolicy": "IfNotPresent", **command, **container}, says, spec or {})


def in_pods(cases: Sequence[Case]) -> list[tuple[Object, list[Case]]]:
    """Pods, and the cases that are their containers `c0`, `c1`, …."""
    groups: dict[bytes, list[Case]] = {}
    for each in cases:
        groups.setdefault(orjson.dumps(each.spec, option=orjson.OPT_SORT_KEYS), []).append(each)
    return [(_pod(f"prints-{number}", group), group) for number, group in enumerate(groups.values())]


def _pod(name: str, group: Sequence[Case]) -> Object:
    containers = [{"name": f"c{number}", **each.container} for number, each in enumerate(group)]
    spec = {"nodeName": NODE, "restartPolicy": "Never", "automountServiceAccountToken": False, **group[0].spec}
    meta = {"name": name, "labels": {"who": "me"}}
    return orjson.loads(orjson.dumps({"metadata": meta, "spec": {**spec, "containers": containers}}).replace(b"<pod>", name.encode()))  # type: ignore[no-any-return]  # fmt: skip


def _from(name: str, **value_from: Object) -> Object:
    return {"name": name, "valueFrom": value_from}


def _field(name: str, path: str) -> Object:
    return _from(name, fieldRef={"fieldPath": path})


def _resource(name: str, resource: str) -> Object:
    return _from(name, resourceFieldRef={"resource": resource})


def _variables(shows: str, *says: str, env: Sequence[Object] = (), **container: Any) -> Case:
    """A container that prints its environment; a shell between would drop names that it does not like."""
    return Case(shows, {"image": SHELL, "command": ["env"], "env": list(env), **container}, says)


def _environments() -> list[Case]:
    key = {"name": "cm", "key": "data-1"}
    fields = [
        _field("NAME", "metadata.name"),
        _field("NAMESPACE", "metadata.namespace"),
        _field("HOST", "status.hostIP"),
        _field("HOSTS", "status.hostIPs"),
        _field("NODE", "spec.nodeName"),
        _field("ACCOUNT", "spec.serviceAccountName"),
        _field("LABEL", "metadata.labels['who']"),
    ]
    told = (
        "NAME=<pod>",
        "NAMESPACE=default",
        "HOST=127.0.0.1",
        "HOSTS=127.0.0.1",
        "NODE=node-a",
        "ACCOUNT=default",
        "LABEL=me",
    )
    limits = [_resource("A", "limits.cpu"), _resource("B", "limits.memory")]
    requests = [_resource("C", "requests.cpu"), _resource("D", "requests.memory")]
    composed = [
        {"name": "FOO", "value": "foo"},
        {"name": "BAR", "value": "bar"},
        {"name": "BOTH", "value": "$(FOO);;$(BAR)"},
    ]

    def whole(field: str, name: str) -> list[Object]:
        return [{field: {"name": name}}, {"prefix": "p-", field: {"name": name}}]

    return [
        _variables("ConfigMap, from environment field", "A=value-1", env=[_from("A", configMapKeyRef=key)]),
        _variables("ConfigMap, from environment variables, various prefixes", "data-1=value-1", "p-data-1=value-1",
                   envFrom=whole("configMapRef", "cm")),
        _variables("Secrets, pod environment field", "A=value-1", env=[_from("A", secretKeyRef={**key, "name": "sec"})]),
        _variables("Secrets, pod environment from source", "data-1=value-1", "p-data-1=value-1", envFrom=whole("secretRef", "sec")),
        _variables("DownwardAPI, environment for name, namespace and ip, host ip, hostIPs", *told, env=fields),
        _variables("DownwardAPI, environment for CPU and memory limits and requests", "A=2", "B=67108864", "C=1", "D=33554432",
                   env=[*limits, *requests], resources=RESOURCES),
        _variables("DownwardAPI, environment for default CPU and memory limits", "A=<cpu>", "B=<memory>", env=limits),
        _variables("Environment variables, expansion", "BOTH=foo;;bar", env=composed),
        case("DownwardAPI, environment for Pod UID", 'test "${#UID_}" = 36 && echo yes', "yes", env=[_field("UID_", "metadata.uid")]),
        case("DownwardAPI, environment for the pod's ip", "test \"$(grep -c \"^$IP\" /etc/hosts)\" = 1 && echo yes", "yes",
             env=[_field("IP", "status.podIP")]),
    ]  # fmt: skip


def _commands() -> list[Case]:
    """The image `user` runs `id`."""
    value = [{"name": "T", "value": "test-value"}]
    quoted = ["sh", "-c", "T=wrong echo \"$(T)\" '$$(T)' '$(NONE)'"]
    return [
        case("Containers, without command and arguments", "", "uid=1234 gid=0 groups=0", image=USER),
        case("Containers, with arguments", "", "override arguments", image=USER, args=["echo", "override", "arguments"]),
        case("Containers, with command", "", "new", image=USER, command=["echo", "new"]),
        case("Containers, with command and arguments", "", "a b", image=USER, command=["echo", "a"], args=["b"]),
        case("Environment variables, command expansion", "", "test-value $(T) $(NONE)", env=value, command=quoted),
        case("Environment variables, command argument expansion", "", "test-value", env=value, command=["sh", "-c"],
             args=['T=wrong echo "$(T)"']),
        case("Kubelet, log output, default", "echo 'Hello World'", "Hello World"),
    ]  # fmt: skip


def _rights() -> list[Case]:
    status = "grep -E '^(NoNewPrivs|CapEff|Seccomp):' /proc/self/status"
    group = {"runAsUser": 1001, "runAsGroup": 2002}
    settings = [{"name": "kernel.shm_rmid_forced", "value": "1"}, {"name": "net/ipv4/tcp_fin_timeout", "value": "7"}]
    read = "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/tcp_fin_timeout"

    def own(shows: str, script: str, *says: str, **context: Any) -> Case:
        return case(shows, script, *says, securityContext=context)

    return [
        own("Security Context, runAsUser=65534", "id -u", "65534", runAsUser=65534),
        own("Security Context, test RunAsGroup at container level", "id -u; id -g", "1001", "2002", **group),
        case("Security Context, test RunAsGroup at pod level", "id -u; id -g", "1001", "2002", spec={"securityContext": group}),
        own("Security Context, privileged=false", "mount -t tmpfs none /bin 2>&1 || echo no", "no", privileged=False),
        own("Security Context, readOnlyRootFilesystem=false", "touch /file && echo yes", "yes", readOnlyRootFilesystem=False),
        own("Kubelet, pod with read only root file system", "echo test > /file || echo no", "no", readOnlyRootFilesystem=True),
        own("Security Context, allowPrivilegeEscalation=false", status, "NoNewPrivs:\t1", allowPrivilegeEscalation=False),
        own("privileges may grow where nothing forbids it", status, "NoNewPrivs:\t0", runAsUser=1000),
        own("seccompProfile RuntimeDefault", status, "Seccomp:\t2", seccompProfile={"type": "RuntimeDefault"}),
        own("capabilities can be dropped", status, "CapEff:\t0000000000000000", capabilities={"drop": ["ALL"]}),
        case("Sysctl, test sysctls", read, "1", "7", spec={"securityContext": {"sysctls": settings}}),
        case("shareProcessNamespace", "ps | grep -c [p]ause", "1", spec={"shareProcessNamespace": True}),
    ]  # fmt: skip


def _names() -> list[Case]:
    aliases = {"hostAliases": [{"ip": "123.45.67.89", "hostnames": ["foo", "bar"]}]}
    resolver = {
        "nameservers": ["1.1.1.1"],
        "searches": ["resolv.conf.local"],
        "options": [{"name": "ndots", "value": "2"}],
    }
    own = {"volumes": [{"name": "own", "hostPath": {"path": "/etc/hosts", "type": "File"}}]}
    full = {"hostname": "h", "subdomain": "s", "setHostnameAsFQDN": True}
    head = "# Kubernetes-managed hosts file."
    return [
        case("Kubelet, hostAliases", "cat /etc/hosts", head, "# Entries added by HostAliases.", "123.45.67.89\tfoo\tbar", spec=aliases),
        case("Kubelet, managed etc hosts, host network", "head -n 1 /etc/hosts", "# Kubernetes-managed hosts file (host network).",
             spec={"hostNetwork": True}),
        case("Kubelet, managed etc hosts, own mount", "grep -c managed /etc/hosts || true", "0", spec=own,
             volumeMounts=[{"name": "own", "mountPath": "/etc/hosts"}]),
        case("Kubelet, managed etc hosts, beside an own mount", "head -n 1 /etc/hosts", head, spec=own),
        case("dnsPolicy None with dnsConfig", "cat /etc/resolv.conf", "search resolv.conf.local", "nameserver 1.1.1.1",
             "options ndots:2", spec={"dnsPolicy": "None", "dnsConfig": resolver}),
        case("hostname and subdomain as FQDN", "hostname", "h.s.default.svc.cluster.local", spec=full),
    ]  # fmt: skip


def cases() -> list[Case]:
    return [*_environments(), *_commands(), *_rights(), *_names()]
