"""An API server in memory, as much of one as clients and controllers need: CRUD, patches, finalizers, watches.

It keeps to the real one's contract where a client can see it: resource versions, conflicts, paging,
410 after `compact`, graceful deletion of bound pods, status apart from spec. It does not validate.
"""

from __future__ import annotations

import asyncio
import base64
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from cybernetes.base.clock import Clock, rfc3339
from cybernetes.base.errors import ApiError, EdgeError, Outcome, already_exists, conflict, not_found
from cybernetes.wire.http.message import Request, Response

Object = dict[str, Any]

# What the fake's discovery lists: (group, version, plural, kind, namespaced).
RESOURCES = (
    ("", "v1", "pods", "Pod", True),
    ("", "v1", "nodes", "Node", False),
    ("", "v1", "namespaces", "Namespace", False),
    ("", "v1", "services", "Service", True),
    ("", "v1", "endpoints", "Endpoints", True),
    ("", "v1", "configmaps", "ConfigMap", True),
    ("", "v1", "secrets", "Secret", True),
    ("", "v1", "serviceaccounts", "ServiceAccount", True),
    ("", "v1", "events", "Event", True),
    ("", "v1", "replicationcontrollers", "ReplicationController", True),
    ("", "v1", "resourcequotas", "ResourceQuota", True),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True),
    ("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim", True),
    ("resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate", True),
    ("", "v1", "persistentvolumes", "PersistentVolume", False),
    ("apps", "v1", "deployments", "Deployment", True),
    ("apps", "v1", "replicasets", "ReplicaSet", True),
    ("apps", "v1", "daemonsets", "DaemonSet", True),
    ("apps", "v1", "statefulsets", "StatefulSet", True),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", True),
    ("batch", "v1", "jobs", "Job", True),
    ("batch", "v1", "cronjobs", "CronJob", True),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True),
    ("coordination.k8s.io", "v1", "leases", "Lease", True),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False),
    ("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", False),
    ("certificates.k8s.io", "v1", "clustertrustbundles", "ClusterTrustBundle", False),
    ("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", False),
    ("networking.k8s.io", "v1", "ipaddresses", "IPAddress", False),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", False),
    ("storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass", False),
    ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", False),
    ("storagemigration.k8s.io", "v1", "storageversionmigrations", "StorageVersionMigration", False),
)
_KINDS = {(group, plural): (version, kind, namespaced) for group, version, plural, kind, namespaced in RESOURCES}
_MERGE_KEYS = {"conditions": "type", "ownerReferences": "uid", "taints": "key", "addresses": "type"}


class FakeApi:
    """A Transport that answers by itself."""

    def __init__(self, clock: Clock) -> None:
        self.revision = 100
        self.oldest = 0
        self.requests: list[tuple[str, str]] = []
        self.objects: dict[tuple[str, str], dict[str, Object]] = {}
        # Called before each request; what it raises is the answer.
        self.fault: Callable[[Request], None] = lambda request: None
        self.down = False
        # By plural, how many seconds after a change those hear of it who watch.
        self.late: dict[str, float] = {}
        # Groups whose own server can't be reached.
        self.stale: frozenset[str] = frozenset()
        self._clock = clock
        self._log: list[tuple[int, tuple[str, str], str, Object]] = []
        self._changed = asyncio.Event()
        self._watches_cut = 0
        self._names = 0

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(0)
        if self.down:
            raise EdgeError(request.method, request.path, "connection refused", outcome=Outcome.NOT_DONE)
        self.requests.append((request.method, request.path))
        try:
            self.fault(request)
            return self._route(request)
        except ApiError as error:
            headers = [("content-type", "application/json"), *error.headers.items()]
            return Response(error.code, headers, orjson.dumps(error.status()))

    async def close(self) -> None:
        self.down = True

    def all(self, plural: str, group: str | None = None) -> list[Object]:
        """Every object of a resource, by plural name, in key order."""
        for (each_group, each_plural), stored in self.objects.items():
            if each_plural == plural and group in (None, each_group):
                return [stored[key] for key in sorted(stored)]
        return []

    def put(self, plural: str, obj: Object) -> Object:
        """Store an object as it is, as if some client had written it; status included."""
        group = obj["apiVersion"].rpartition("/")[0]
        metadata = obj["metadata"]
        key = _key(metadata.get("namespace", ""), metadata["name"])
        stored = self.objects.setdefault((group, plural), {})
        old = stored.get(key)
        self._fill(obj, old)
        return self._store((group, plural), key, obj, "MODIFIED" if old else "ADDED")

    def edit(self, plural: str, name: str, change: Callable[[Object], None], namespace: str = "default") -> Object:
        """Change a stored object by a function that works in place."""
        for (group, each_plural), stored in self.objects.items():
            key = name if name in stored else _key(namespace, name)
            if each_plural == plural and key in stored:
                obj = copy.deepcopy(stored[key])
                change(obj)
                return self._store((group, plural), key, obj, "MODIFIED")
        raise KeyError(name)

    def remove(self, plural: str, name: str, namespace: str = "default") -> None:
        """Take an object away at once, as a kubelet does when a pod has ended."""
        for (group, each_plural), stored in self.objects.items():
            key = name if name in stored else _key(namespace, name)
            if each_plural == plural and key in stored:
                self._drop((group, plural), key)
                return
        raise KeyError(name)

    def compact(self) -> None:
        """Forget history: watches from before now get 410."""
        self.oldest = self.revision

    def cut_watches(self) -> None:
        """Break every open watch connection."""
        self._watches_cut += 1
        self._changed.set()

    def _route(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if request.path in ("/api", "/apis"):
            return _json(200, _discovery(request.path, self.stale))
        group = "" if parts[0] == "api" else parts[1]
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("status", "finalize"):
            namespace, parts = parts[1], parts[2:]
        plural, name, subresource = (*parts, "", "")[:3]
        if (group, plural) not in _KINDS:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return self._serve(request, (group, plural), namespace, name, subresource)

    def _serve(self, request: Request, resource: tuple[str, str], namespace: str, name: str, sub: str) -> Response:
        stored = self.objects.setdefault(resource, {})
        key = _key(namespace, name)
        body = orjson.loads(request.body) if request.body else {}
        if request.method == "GET" and not name:
            if request.param("watch") == "true":
                return self._watch(request, resource, namespace)
            return self._list(request, resource, namespace)
        if request.method == "POST" and not name:
            return self._create(resource, namespace, body)
        if request.method == "DELETE" and not name:
            for each in [each for each in stored if _in_namespace(each, namespace)]:
                self._delete(resource, each, body)
            return _json(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
        if request.method == "PATCH" and key not in stored and "apply" in request.headers.get("content-type", ""):
            return self._create(resource, namespace, body)
        if key not in stored:
            raise not_found(*resource, name)
        if request.method == "GET":
            return _json(200, _scale(stored[key]) if sub == "scale" else stored[key])
        if request.method == "POST":
            return self._post_subresource(resource, key, sub, body)
        if request.method == "DELETE":
            return self._delete(resource, key, body)
        old = stored[key]
        if request.method == "PATCH":
            body = _patched(old, body, request.headers["content-type"])
        return self._update(resource, key, old, body, sub)

    def _list(self, request: Request, resource: tuple[str, str], namespace: str) -> Response:
        stored = self.objects[resource]
        revision, start = self.revision, ""
        if token := request.param("continue"):
            revision, start = orjson.loads(base64.b64decode(token))
            if revision < self.oldest:
                raise ApiError(410, "Expired", "The provided continue parameter is too old")
        keys = [
            k for k in sorted(stored) if _in_namespace(k, namespace) and k > start and _selected(request, stored[k])
        ]
        limit = int(request.param("limit") or 0)
        page = keys[:limit] if limit else keys
        metadata = {"resourceVersion": str(revision)}
        if len(page) < len(keys):
            metadata["continue"] = base64.b64encode(orjson.dumps([revision, page[-1]])).decode()
        return _json(200, {"kind": "List", "metadata": metadata, "items": [stored[k] for k in page]})

    def _watch(self, request: Request, resource: tuple[str, str], namespace: str) -> Response:
        after = int(request.param("resourceVersion") or 0)
        if after < self.oldest:
            raise ApiError(410, "Expired", f"too old resource version: {after} ({self.oldest})")
        timeout_s = float(request.param("timeoutSeconds") or 1800)
        return Response(200, [], self._stream(request, resource, namespace, after, timeout_s))

    async def _stream(
        self, request: Request, resource: tuple[str, str], namespace: str, after: int, timeout_s: float
    ) -> AsyncIterator[bytes]:
        deadline = self._clock.monotonic() + timeout_s
        position = next((i for i, row in enumerate(self._log) if row[0] > after), len(self._log))
        cut = self._watches_cut
        while True:
            while position < len(self._log):
                revision, where, kind, obj = self._log[position]
                position += 1
                after = revision
                key = _key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
                if where == resource and _in_namespace(key, namespace) and _selected(request, obj):
                    if late_s := self.late.get(resource[1]):
                        await asyncio.sleep(late_s)
                    yield orjson.dumps({"type": kind, "object": obj}) + b"\n"
            if self.down or self._watches_cut != cut:
                raise EdgeError("watch", request.path, "connection reset", outcome=Outcome.NOT_DONE)
            wait_s = min(60.0, deadline - self._clock.monotonic())
            if wait_s <= 0:
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                bookmark = {"kind": "Bookmark", "metadata": {"resourceVersion": str(self.revision)}}
                yield orjson.dumps({"type": "BOOKMARK", "object": bookmark}) + b"\n"

    def _create(self, resource: tuple[str, str], namespace: str, obj: Object) -> Response:
        metadata = obj.setdefault("metadata", {})
        if namespace:
            metadata["namespace"] = namespace
        if not metadata.get("name"):
            self._names += 1
            metadata["name"] = f"{metadata['generateName']}{self._names:05d}"
        key = _key(namespace, metadata["name"])
        if key in self.objects[resource]:
            raise already_exists(*resource, metadata["name"])
        if namespace:
            owner = self.objects.get(("", "namespaces"), {}).get(namespace)
            if owner and "deletionTimestamp" in owner["metadata"]:
                raise ApiError(403, "Forbidden", f"unable to create new content in namespace {namespace}")
        self._fill(obj, None)
        return _json(201, self._store(resource, key, obj, "ADDED"))

    def _fill(self, obj: Object, old: Object | None) -> None:
        metadata = obj["metadata"]
        before = old["metadata"] if old else {}
        metadata.setdefault("uid", before.get("uid") or f"uid-{self.revision + 1}")
        metadata.setdefault("creationTimestamp", before.get("creationTimestamp") or rfc3339(self._clock.now()))
        metadata.setdefault("generation", before.get("generation") or 1)
        if obj.get("kind") == "Pod":
            obj.setdefault("status", {}).setdefault("phase", "Pending")
        if obj.get("kind") == "Namespace":
            obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
            obj.setdefault("status", {}).setdefault("phase", "Active")

    def _update(self, resource: tuple[str, str], key: str, old: Object, new: Object, sub: str) -> Response:
        version = new["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise conflict(*resource, old["metadata"]["name"], "the object has been modified")
        if new["metadata"].get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            raise conflict(*resource, old["metadata"]["name"], "Precondition failed: UID in precondition")
        if sub == "status":
            merged = {**old, "status": new.get("status", {})}
            merged["metadata"] = {**old["metadata"]}
            if "annotations" in new["metadata"]:
                merged["metadata"]["annotations"] = new["metadata"]["annotations"]
        elif sub == "finalize":
            merged = {**old, "spec": new["spec"]}
        elif sub == "scale":
            merged = copy.deepcopy(old)
            merged["spec"]["replicas"] = new["spec"]["replicas"]
        else:
            merged = {**new, **({"status": old["status"]} if "status" in old else {})}
            merged["metadata"] = {**new["metadata"]}
            for kept in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"):
                if kept in old["metadata"]:
                    merged["metadata"][kept] = old["metadata"][kept]
        merged["metadata"] = {name: value for name, value in merged["metadata"].items() if name != "resourceVersion"}
        before = copy.deepcopy(old)
        before["metadata"].pop("resourceVersion")
        if merged == before:
            return _json(200, old)
        if merged.get("spec") != old.get("spec"):
            merged["metadata"] = {**merged["metadata"], "generation": old["metadata"].get("generation", 1) + 1}
        if _is_gone(merged):
            self._drop(resource, key)
            return _json(200, old)
        return _json(200, self._store(resource, key, merged, "MODIFIED"))

    def _post_subresource(self, resource: tuple[str, str], key: str, sub: str, body: Object) -> Response:
        if sub == "binding":
            obj = copy.deepcopy(self.objects[resource][key])
            obj["spec"]["nodeName"] = body["target"]["name"]
            self._store(resource, key, obj, "MODIFIED")
        elif sub == "eviction":
            self._delete(resource, key, body.get("deleteOptions") or {})
        elif sub == "token":
            return _json(201, {**body, "status": {"token": f"token-of-{key}"}})
        else:
            raise ApiError(404, "NotFound", f"no subresource {sub}")
        return _json(201, {"kind": "Status", "status": "Success"})

    def _delete(self, resource: tuple[str, str], key: str, options: Object) -> Response:
        obj = copy.deepcopy(self.objects[resource][key])
        metadata = obj["metadata"]
        for field, value in (options.get("preconditions") or {}).items():
            if metadata.get(field) != value:
                raise conflict(*resource, metadata["name"], f"the {field} in the precondition does not match")
        finalizers = [f for f in metadata.get("finalizers", []) if f not in ("orphan", "foregroundDeletion")]
        policy = options.get("propagationPolicy")
        if policy in ("Orphan", "Foreground"):
            finalizers.append("orphan" if policy == "Orphan" else "foregroundDeletion")
        elif policy is None:
            finalizers = metadata.get("finalizers", [])
        grace = options.get("gracePeriodSeconds")
        if obj.get("kind") == "Pod":
            phase = obj["status"].get("phase")
            if not obj["spec"].get("nodeName") or phase in ("Succeeded", "Failed"):
                grace = 0
            elif grace is None:
                grace = obj["spec"].get("terminationGracePeriodSeconds", 30)
        else:
            grace = 0
        if finalizers:
            metadata["finalizers"] = finalizers
        else:
            metadata.pop("finalizers", None)
        if "deletionTimestamp" not in metadata:
            metadata["deletionTimestamp"] = rfc3339(self._clock.now() + grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if resource == ("", "namespaces"):
            obj["status"]["phase"] = "Terminating"
        if _is_gone(obj):
            self._drop(resource, key)
            return _json(200, obj)
        return _json(200, self._store(resource, key, obj, "MODIFIED"))

    def _store(self, resource: tuple[str, str], key: str, obj: Object, kind: str) -> Object:
        self.revision += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        version, kind_name, _ = _KINDS[resource]
        obj.setdefault("kind", kind_name)
        obj.setdefault("apiVersion", f"{resource[0]}/{version}" if resource[0] else version)
        obj = copy.deepcopy(obj)
        self.objects.setdefault(resource, {})[key] = obj
        self._record(resource, kind, obj)
        return obj

    def _drop(self, resource: tuple[str, str], key: str) -> None:
        self.revision += 1
        obj = self.objects[resource].pop(key)
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        self._record(resource, "DELETED", obj)

    def _record(self, resource: tuple[str, str], kind: str, obj: Object) -> None:
        self._log.append((self.revision, resource, kind, obj))
        self._changed.set()


def _scale(obj: Object) -> Object:
    labels = (obj["spec"].get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": obj["metadata"],
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": {"selector": ",".join(f"{name}={value}" for name, value in labels.items())},
    }


def _is_gone(obj: Object) -> bool:
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if obj.get("kind") == "Namespace":
        return not obj["spec"].get("finalizers")
    return metadata.get("deletionGracePeriodSeconds", 0) == 0


def _key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def _in_namespace(key: str, namespace: str) -> bool:
    return not namespace or key.startswith(f"{namespace}/")


def _selected(request: Request, obj: Object) -> bool:
    labels = obj["metadata"].get("labels") or {}
    for term in filter(None, request.param("labelSelector").split(",")):
        name, _, value = term.partition("=")
        if (labels.get(name.rstrip("!")) == value) == name.endswith("!"):
            return False
    for term in filter(None, request.param("fieldSelector").split(",")):
        path, _, value = term.partition("=")
        found: Any = obj
        for part in path.split("."):
            found = (found or {}).get(part)
        if (found or "") != value:
            return False
    return True


def _patched(old: Object, patch: Any, content_type: str) -> Object:
    obj = copy.deepcopy(old)
    if content_type == "application/json-patch+json":
        for op in patch:
            _json_patch(obj, op)
        return obj
    merged: Object = _merge(obj, patch, strategic=content_type != "application/merge-patch+json")
    return merged


def _json_patch(obj: Any, op: Object) -> None:
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
    for part in path:
        obj = obj[int(part)] if isinstance(obj, list) else obj[part]
    at: Any = int(last) if isinstance(obj, list) and last != "-" else last
    if op["op"] == "test":
        if obj[at] != op["value"]:
            raise ApiError(422, "Invalid", "the server rejected our request due to an error in our request")
    elif op["op"] == "remove":
        del obj[at]
    elif isinstance(obj, list):
        obj.insert(len(obj) if at == "-" else at, op["value"])
    else:
        obj[at] = op["value"]


def _merge(old: Any, patch: Any, *, strategic: bool) -> Any:
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    for name, value in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            old[field] = [each for each in old.get(field, []) if each not in value]
            if not old[field]:
                del old[field]
            continue
        if name.startswith("$"):
            continue
        if value is None:
            old.pop(name, None)
        elif strategic and name == "finalizers":
            old[name] = list(dict.fromkeys([*old.get(name, []), *value]))
        elif strategic and name in _MERGE_KEYS and isinstance(value, list):
            old[name] = _merge_list(old.get(name) or [], value, _MERGE_KEYS[name])
            if not old[name]:
                del old[name]
        else:
            old[name] = _merge(old.get(name, {}), value, strategic=strategic)
    return old


def _merge_list(old: list[Object], patch: list[Object], key: str) -> list[Object]:
    merged = list(old)
    for item in patch:
        at = next((i for i, each in enumerate(merged) if each.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(item)
        else:
            merged[at] = {**merged[at], **item}
    return merged


_SCALED = ("deployments", "replicasets", "replicationcontrollers", "statefulsets")


def _discovery(path: str, stale: frozenset[str]) -> Object:
    """The aggregated document of `/api` or `/apis`."""
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    items: dict[str, Object] = {}
    for group, version, plural, kind, namespaced in sorted(RESOURCES):
        if bool(group) == (path == "/apis"):
            item = items.setdefault(group, {"metadata": {"name": group}, "versions": []})
            if not any(each["version"] == version for each in item["versions"]):
                freshness = "Stale" if group in stale else "Current"
                item["versions"].append({"version": version, "resources": [], "freshness": freshness})
            scope = "Namespaced" if namespaced else "Cluster"
            row: Object = {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": verbs}
            if plural in _SCALED:
                row["subresources"] = [{"subresource": "scale", "verbs": ["get", "patch", "update"]}]
            item["versions"][-1]["resources"].append(row)
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": list(items.values())}


def _json(code: int, obj: Object) -> Response:
    return Response(code, [("content-type", "application/json")], orjson.dumps(obj))
