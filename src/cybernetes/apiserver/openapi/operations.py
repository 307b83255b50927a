"""What can be done at each path of a group version, as plain values that both document forms are made of."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cybernetes.model.resource import Resource, Subresource

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
STATUS, DELETE_OPTIONS, WATCH_EVENT, PATCH = (
    META + "Status",
    META + "DeleteOptions",
    META + "WatchEvent",
    META + "Patch",
)

LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "shardSelector",
    "timeoutSeconds",
    "watch",
)
DELETE = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
COLLECTION = tuple(sorted((set(LIST) - {"allowWatchBookmarks", "watch"}) | set(DELETE)))
WRITE = ("dryRun", "fieldManager", "fieldValidation")
APPLY = ("dryRun", "fieldManager", "fieldValidation", "force")
OPTIONS = {
    "PodAttachOptions": ("container", "stderr", "stdin", "stdout", "tty"),
    "PodExecOptions": ("command", "container", "stderr", "stdin", "stdout", "tty"),
    "PodPortForwardOptions": ("ports",),
    "PodProxyOptions": ("path",),
    "ServiceProxyOptions": ("path",),
    "NodeProxyOptions": ("path",),
}
LOG = (
    "container",
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "stream",
    "tailLines",
    "timestamps",
)
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
CONNECT_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_EXEC_METHODS = ("get", "post")


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    action      x-kubernetes-action; kind its (group, version, kind)
    parameters  names of query parameters beside those of the path
    body        definition of the request's object, "" for none; patches are of PATCH
    answers     (code, definition of the answer, "" for text)
    streams     whether the answer may be a watch
    """

    path: str
    method: str
    action: str
    kind: tuple[str, str, str]
    id: str
    description: str
    parameters: tuple[str, ...] = ()
    body: str = ""
    answers: tuple[tuple[int, str], ...]
    streams: bool = False
    pretty: bool = True


def operations(row: Resource) -> Iterator[Operation]:
    """All operations of a resource and its subresources, path by path."""
    base = _Builder(row)
    yield from base.collection()
    yield from base.item()
    for each in sorted(row.subresources, key=lambda sub: sub.name):
        yield from base.subresource(each)
    if "watch" in row.verbs:
        yield from base.watches()


def group_version(path: str) -> tuple[str, str]:
    """Of a path below /api or /apis."""
    parts = path.split("/")
    return ("", parts[2]) if parts[1] == "api" else (parts[2], parts[3])


def camel(group: str, version: str) -> str:
    """`AppsV1`, `CoreV1`, `RbacAuthorizationV1`."""
    words = (group or "core").removesuffix(".k8s.io").split(".")
    return "".join(word[:1].upper() + word[1:] for word in words) + version[:1].upper() + version[1:]


class _Builder:
    def __init__(self, row: Resource) -> None:
        self.row = row
        self.kind = (row.group, row.version, row.kind)
        self.root = row.path
        self.space = "/namespaces/{namespace}" if row.namespaced else ""
        self.place = f"{self.root}{self.space}/{row.plural}"
        self.suffix = camel(row.group, row.version) + ("Namespaced" if row.namespaced else "")

    def _make(self, path: str, method: str, action: str, verb: str, description: str, **rest: object) -> Operation:
        settings: dict[str, object] = {"kind": self.kind, **rest}
        identifier = f"{verb}{self.suffix}{rest.pop('tail', self.row.kind)}"
        settings.pop("tail", None)
        return Operation(path=path, method=method, action=action, id=identifier, description=description, **settings)  # type: ignore[arg-type]

    def collection(self) -> Iterator[Operation]:
        row, kind = self.row, self.row.kind
        if "list" in row.verbs:
            listed = ((200, row.schema + "List"),)
            text = f"list or watch objects of kind {kind}"
            if row.namespaced:
                yield Operation(
                    path=f"{self.root}/{row.plural}",
                    method="get",
                    action="list",
                    kind=self.kind,
                    id=f"list{camel(row.group, row.version)}{kind}ForAllNamespaces",
                    description=text,
                    parameters=LIST,
                    answers=listed,
                    streams=True,
                )
            yield self._make(self.place, "get", "list", "list", text, parameters=LIST, answers=listed, streams=True)
        if "create" in row.verbs:
            yield self._create(self.place, row.schema, f"create {_a(kind)}")
        if "deletecollection" in row.verbs:
            yield self._make(
                self.place,
                "delete",
                "deletecollection",
                "delete",
                f"delete collection of {kind}",
                tail="Collection" + kind if not row.namespaced else kind + "Collection",
                parameters=COLLECTION,
                body=DELETE_OPTIONS,
                answers=((200, STATUS),),
            )

    def _create(self, path: str, schema: str, text: str, **rest: object) -> Operation:
        answers = ((200, schema), (201, schema), (202, schema))
        return self._make(path, "post", "post", "create", text, parameters=WRITE, body=schema, answers=answers, **rest)

    def item(self) -> Iterator[Operation]:
        yield from self._reads_and_writes(
            f"{self.place}/{{name}}", self.row.verbs, self.row.schema, self.row.kind, "", {}
        )
        if "delete" in self.row.verbs:
            # Kinds whose delete answers with the object say so; the others answer with a Status.
            answer = self.row.schema if self.row.strategy.returns_deleted_object else STATUS
            yield self._make(
                f"{self.place}/{{name}}",
                "delete",
                "delete",
                "delete",
                f"delete {_a(self.row.kind)}",
                parameters=DELETE,
                body=DELETE_OPTIONS,
                answers=((200, answer), (202, answer)),
            )

    def _reads_and_writes(
        self, path: str, verbs: tuple[str, ...], schema: str, kind: str, of: str, rest: dict[str, object]
    ) -> Iterator[Operation]:
        named = f"{of}the specified {kind}"
        if "get" in verbs:
            yield self._make(path, "get", "get", "read", f"read {named}", answers=((200, schema),), **rest)
        written = ((200, schema), (201, schema))
        if "update" in verbs:
            yield self._make(
                path,
                "put",
                "put",
                "replace",
                f"replace {named}",
                parameters=WRITE,
                body=schema,
                answers=written,
                **rest,
            )
        if "patch" in verbs:
            text = f"partially update {named}"
            yield self._make(
                path, "patch", "patch", "patch", text, parameters=APPLY, body=PATCH, answers=written, **rest
            )

    def subresource(self, sub: Subresource) -> Iterator[Operation]:
        path = f"{self.place}/{{name}}/{sub.name}"
        foreign = bool(sub.version)
        kind = (sub.group, sub.version, sub.kind) if foreign else (self.row.group, self.row.version, sub.kind)
        tail = self.row.kind + sub.name[:1].upper() + sub.name[1:]
        if sub.kind in OPTIONS:
            yield from self._connects(path, sub, kind, tail)
            return
        if sub.name == "log":
            answers = ((200, ""),)
            text = f"read log of the specified {self.row.kind}"
            yield self._make(path, "get", "get", "read", text, tail=tail, parameters=LOG, answers=answers)
            return
        schema = self._schema_of(sub)
        rest: dict[str, object] = {"kind": kind, "tail": tail}
        if "create" in sub.verbs:
            yield self._create(path, schema, f"create {sub.name} of {_a(self.row.kind)}", **rest)
        yield from self._reads_and_writes(path, sub.verbs, schema, self.row.kind, f"{sub.name} of ", rest)

    def _schema_of(self, sub: Subresource) -> str:
        from cybernetes.model.schema.compile import kinds

        if sub.kind == self.row.kind:
            return self.row.schema
        version = sub.version or self.row.version
        group = sub.group if sub.version else self.row.group
        return kinds()[f"{group}/{version}" if group else version][sub.kind]

    def _connects(self, path: str, sub: Subresource, kind: tuple[str, str, str], tail: str) -> Iterator[Operation]:
        proxies = sub.name == "proxy"
        for where, with_path in ((path, False), (path + "/{path}", True)) if proxies else ((path, False),):
            for method in CONNECT_METHODS if proxies else _EXEC_METHODS:
                yield self._make(
                    where,
                    method,
                    "connect",
                    f"connect{method.capitalize()}",
                    f"connect {method.upper()} requests to {sub.name} of {self.row.kind}",
                    tail=tail + ("WithPath" if with_path else ""),
                    kind=kind,
                    parameters=OPTIONS[sub.kind],
                    answers=((200, ""),),
                    pretty=False,
                )

    def watches(self) -> Iterator[Operation]:
        row, answers = self.row, ((200, WATCH_EVENT),)
        places = [(f"{self.root}/watch{self.space}/{row.plural}", "watchlist", "List", True)]
        if row.namespaced:
            places.insert(0, (f"{self.root}/watch/{row.plural}", "watchlist", "ListForAllNamespaces", False))
        if "get" in row.verbs:
            places.append((f"{self.root}/watch{self.space}/{row.plural}/{{name}}", "watch", "", True))
        for path, action, tail, scoped in places:
            where = self.suffix if scoped else camel(row.group, row.version)
            text = f"watch {'individual changes to a list of' if action == 'watchlist' else 'changes to an object of kind'}"
            yield Operation(
                path=path,
                method="get",
                action=action,
                kind=self.kind,
                id=f"watch{where}{row.kind}{tail}",
                description=f"{text} {row.kind}. deprecated: use the 'watch' parameter with a list operation instead.",
                parameters=LIST,
                answers=answers,
                streams=True,
            )


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
