"""The environment of a container. Pure: what it refers to was read before.

source  kubernetes.io "Define Dependent Environment Variables"
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from cybernetes.kubelet import envfile, resources
from cybernetes.kubelet.pods import Object

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]\Z")
_MASTER_NAMESPACE, _MASTER_NAME = "default", "kubernetes"


class ConfigError(Exception):
    """The container can't be configured as its spec says; becomes CreateContainerConfigError."""


class ServicePort(msgspec.Struct, frozen=True, gc=False):
    name: str
    protocol: str
    port: int


class Service(msgspec.Struct, frozen=True):
    """What the environment needs of a Service."""

    namespace: str
    name: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]


class Sources(msgspec.Struct, frozen=True):
    """Objects that pods refer to, by (kind, namespace, name); absent ones are None. Kinds: ConfigMap, Secret."""

    objects: Mapping[tuple[str, str, str], Object | None] = {}

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        return self.objects.get((kind, namespace, name))


class EnvContext(msgspec.Struct, frozen=True):
    """files: texts by (volume, path), None where there is no such file."""

    pod_ips: tuple[str, ...]
    host_ips: tuple[str, ...]
    services: Sequence[Service]
    sources: Sources
    node_allocatable: Mapping[str, int]
    files: Mapping[tuple[str, str], str | None] = {}


def files_wanted(container: Object) -> Iterator[tuple[str, str]]:
    """(volume, path) of every file that the container's environment reads."""
    for variable in container.get("env") or ():
        source = (variable.get("valueFrom") or {}).get("fileKeyRef")
        if source:
            yield source["volumeName"], source["path"]


def references(container: Object) -> Iterator[tuple[str, str]]:
    """(kind, name) of every ConfigMap and Secret that the container's environment reads."""
    for each in container.get("envFrom") or ():
        for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if each.get(field):
                yield kind, each[field].get("name", "")
    for variable in container.get("env") or ():
        value_from = variable.get("valueFrom") or {}
        for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            if value_from.get(field):
                yield kind, value_from[field].get("name", "")


def environment(pod: Object, container: Object, context: EnvContext) -> dict[str, str]:
    """Every variable of the container, services' lowest, then envFrom, then env in order.

    raises  ConfigError with Kubernetes' words
    """
    result: dict[str, str] = {}
    for each in container.get("envFrom") or ():
        result.update(_whole_object(pod, each, context.sources))
    services = service_variables(pod, context.services)
    expandable = {**services, **result}
    for variable in container.get("env") or ():
        name = variable["name"]
        if variable.get("valueFrom"):
            value = _value_from(pod, container, variable, context)
            if value is None:
                continue
        else:
            value = expand(variable.get("value") or "", expandable)
        result[name] = expandable[name] = value
    return {**services, **result}


def _whole_object(pod: Object, source: Object, sources: Sources) -> dict[str, str]:
    kind, field = ("ConfigMap", "configMapRef") if source.get("configMapRef") else ("Secret", "secretRef")
    reference = source.get(field) or {}
    obj = _object(pod, kind, reference, sources)
    if obj is None:
        return {}
    prefix = source.get("prefix") or ""
    return {prefix + key: value.decode("utf-8", "replace") for key, value in sorted(payload(kind, obj).items())}


def _object(pod: Object, kind: str, reference: Object, sources: Sources) -> Object | None:
    name = reference.get("name", "")
    obj = sources.get(kind, pod["metadata"]["namespace"], name)
    if obj is None and not reference.get("optional"):
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    return obj


def payload(kind: str, obj: Object) -> dict[str, bytes]:
    """The keys and bytes of a ConfigMap or Secret."""
    if kind == "Secret":
        return {key: base64.b64decode(text) for key, text in (obj.get("data") or {}).items()}
    texts = {key: text.encode() for key, text in (obj.get("data") or {}).items()}
    return texts | {key: base64.b64decode(text) for key, text in (obj.get("binaryData") or {}).items()}


def _value_from(pod: Object, container: Object, variable: Object, context: EnvContext) -> str | None:
    """The value, or None when an optional source is absent."""
    source = variable["valueFrom"]
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"].get("fieldPath", ""), context.pod_ips, context.host_ips)
    if "resourceFieldRef" in source:
        reference = source["resourceFieldRef"]
        divisor = str(reference.get("divisor") or "")
        return resources.resource_field(container, reference["resource"], divisor, context.node_allocatable)
    for kind, field, word in (("ConfigMap", "configMapKeyRef", "ConfigMap"), ("Secret", "secretKeyRef", "Secret")):
        if field in source:
            return _key_value(pod, kind, source[field], word, context.sources)
    if "fileKeyRef" in source:
        return _file_value(source["fileKeyRef"], context.files)
    raise ConfigError(f"environment variable {variable['name']}: this source is not supported")


def _file_value(reference: Object, files: Mapping[tuple[str, str], str | None]) -> str | None:
    path, key = reference["path"], reference["key"]
    text = files.get((reference["volumeName"], path))
    try:
        found = envfile.parse(text or "").get(key)
    except envfile.EnvFileError as wrong:
        raise ConfigError(f"couldn't parse env file {path}: {wrong}") from wrong
    if found is None and not reference.get("optional"):
        raise ConfigError(f'environment variable key "{key}" not found in file {path}')
    return found


def _key_value(pod: Object, kind: str, reference: Object, word: str, sources: Sources) -> str | None:
    obj = _object(pod, kind, reference, sources)
    key = reference.get("key", "")
    if obj is None:
        return None
    found = payload(kind, obj).get(key)
    if found is None:
        if reference.get("optional"):
            return None
        namespace = pod["metadata"]["namespace"]
        raise ConfigError(f"couldn't find key {key} in {word} {namespace}/{reference.get('name', '')}")
    return found.decode("utf-8", "replace")


def field_value(pod: Object, path: str, pod_ips: Sequence[str] = (), host_ips: Sequence[str] = ()) -> str:
    """The value of a fieldRef. raises ConfigError for a path that is not offered."""
    meta, spec = pod["metadata"], pod["spec"]
    subscript = _SUBSCRIPT.match(path)
    if subscript:
        return str((meta.get(subscript[1]) or {}).get(subscript[2], ""))
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta.get("namespace", ""),
        "metadata.uid": meta.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.hostIP": host_ips[0] if host_ips else "",
        "status.hostIPs": ",".join(host_ips),
        "status.podIP": pod_ips[0] if pod_ips else "",
        "status.podIPs": ",".join(pod_ips),
    }
    if path in ("metadata.labels", "metadata.annotations"):
        return format_map(meta.get(path.removeprefix("metadata.")) or {})
    if path not in known:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str(known[path])


def format_map(pairs: Mapping[str, str]) -> str:
    """`key="escaped value"` lines, sorted."""
    return "\n".join(f"{key}={_go_quote(value)}" for key, value in sorted(pairs.items()))


def _go_quote(text: str) -> str:
    named = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(named.get(c, c) if c.isprintable() or c in named else f"\\x{ord(c):02x}" for c in text) + '"'


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where known; `$$` is a literal `$`, everything else stays."""
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            out.append(text[at])
            at += 1
        elif text[at + 1] == "$":
            out.append("$")
            at += 2
        elif text[at + 1] == "(" and (end := text.find(")", at + 2)) != -1:
            name = text[at + 2 : end]
            out.append(variables.get(name, f"$({name})"))
            at = end + 1
        else:
            out.append(text[at : at + 2])
            at += 2
    return "".join(out)


def expand_strictly(text: str, variables: Mapping[str, str]) -> str:
    """As `expand`, for subPathExpr, where a variable that is unknown or empty is an error."""
    missing = {name for name in re.findall(r"(?<!\$)\$\(([^)]*)\)", text) if not variables.get(name)}
    if missing:
        raise ConfigError(f"missing value for {', '.join(sorted(missing))}")
    return expand(text, variables)


def service_variables(pod: Object, services: Sequence[Service]) -> dict[str, str]:
    """Variables of the namespace's services, and of the API server's always."""
    linked = pod["spec"].get("enableServiceLinks", True)
    chosen: dict[str, Service] = {}
    for service in services:
        if service.cluster_ip in ("", "None"):
            continue
        master = service.namespace == _MASTER_NAMESPACE and service.name == _MASTER_NAME
        if (master and service.name not in chosen) or (
            linked is not False and service.namespace == pod["metadata"]["namespace"]
        ):
            chosen[service.name] = service
    variables: dict[str, str] = {}
    for service in chosen.values():
        variables.update(_of_service(service))
    return variables


def _of_service(service: Service) -> dict[str, str]:
    prefix = _variable_name(service.name)
    address = service.cluster_ip
    shown = f"[{address}]" if ":" in address else address
    if not service.ports:
        return {f"{prefix}_SERVICE_HOST": address}
    first = service.ports[0]
    variables = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(first.port)}
    for port in service.ports:
        if port.name:
            variables[f"{prefix}_SERVICE_PORT_{_variable_name(port.name)}"] = str(port.port)
    variables[f"{prefix}_PORT"] = f"{first.protocol.lower()}://{shown}:{first.port}"
    for port in service.ports:
        link = f"{prefix}_PORT_{port.port}_{port.protocol.upper()}"
        variables[link] = f"{port.protocol.lower()}://{shown}:{port.port}"
        variables[f"{link}_PROTO"] = port.protocol.lower()
        variables[f"{link}_PORT"] = str(port.port)
        variables[f"{link}_ADDR"] = address
    return variables


def _variable_name(name: str) -> str:
    return name.replace("-", "_").upper()
