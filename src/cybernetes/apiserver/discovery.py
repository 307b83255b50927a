"""Discovery documents: which groups, versions and resources there are. Pure; documents are bytes, made once per change.

enters   the rows that are served, groups of other servers
leaves   legacy documents per path, aggregated documents with their ETag
source   Kubernetes documentation "Kubernetes API", discovery API
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from cybernetes.model.resource import Resource, Subresource
from cybernetes.model.resources import GROUP_ORDER
from cybernetes.model.versions import version_rank

Document = dict[str, Any]
AGGREGATED = "APIGroupDiscoveryList"
AGGREGATED_VERSIONS = ("v2", "v2beta1")
# groupPriorityMinimum of the APIServices of custom resources' groups, and of built-in groups not in GROUP_ORDER.
CUSTOM_PRIORITY = 1000
BUILT_IN_PRIORITY = 15800
_FIRST_PRIORITY = 18000


class RemoteVersion(msgspec.Struct, frozen=True):
    """One version of a group that another server answers for.

    resources  its entries as the aggregated document lists them; empty while it can't be reached
    document   where its OpenAPI v3 document is, as path and query of this server; "" where it has none
    """

    group: str
    version: str
    resources: Sequence[Document] = ()
    current: bool = True
    group_priority: int = CUSTOM_PRIORITY
    version_priority: int = 100
    document: str = ""


class Listing(msgspec.Struct, frozen=True):
    """What is served: rows (built-in and custom) and versions of other servers."""

    rows: Sequence[Resource]
    remote: Sequence[RemoteVersion] = ()
    # Names of groups whose rows come from CustomResourceDefinitions.
    custom: frozenset[str] = frozenset()

    def groups(self) -> list[str]:
        """Names of all groups but the core group, in the order of discovery."""
        priorities = {each.group: self._priority(each.group) for each in self.rows if each.group}
        for each in self.remote:
            priorities[each.group] = max(priorities.get(each.group, 0), each.group_priority)
        return sorted(priorities, key=lambda name: (-priorities[name], name))

    def versions(self, group: str) -> list[str]:
        """Versions of a group, the preferred one first."""
        weights = {each.version: 100 for each in self.rows if each.group == group}
        weights.update((each.version, each.version_priority) for each in self.remote if each.group == group)
        return sorted(weights, key=lambda version: (-weights[version], version_rank(version)))

    def of(self, group: str, version: str) -> list[Resource]:
        found = [each for each in self.rows if each.group == group and each.version == version]
        return sorted(found, key=lambda each: each.plural)

    def _priority(self, group: str) -> int:
        if group in self.custom:
            return CUSTOM_PRIORITY
        return _FIRST_PRIORITY - GROUP_ORDER.index(group) if group in GROUP_ORDER else BUILT_IN_PRIORITY


def api_versions(address: str) -> bytes:
    """`/api`. address: HOST:PORT under which clients reach the server."""
    reach = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return orjson.dumps({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": reach})


def group_list(listing: Listing) -> bytes:
    """`/apis`."""
    groups = [_group(listing, name) for name in listing.groups()]
    return orjson.dumps({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


def group(listing: Listing, name: str) -> bytes | None:
    """`/apis/GROUP`; None where there is no such group."""
    if name not in listing.groups():
        return None
    return orjson.dumps({"kind": "APIGroup", "apiVersion": "v1", **_group(listing, name)})


def _group(listing: Listing, name: str) -> Document:
    versions = [{"groupVersion": f"{name}/{each}", "version": each} for each in listing.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resource_list(listing: Listing, group: str, version: str) -> bytes | None:
    """`/api/v1`, `/apis/GROUP/VERSION`; None where there is no such version, or another server has it."""
    rows = listing.of(group, version)
    if not rows:
        return None
    entries: list[Document] = []
    for row in rows:
        entries.append(_entry(row))
        entries += [_sub_entry(row, each) for each in _subresources(row, group in listing.custom)]
    head: Document = {"kind": "APIResourceList"}
    if group:
        head["apiVersion"] = "v1"
    return orjson.dumps({**head, "groupVersion": rows[0].api_version, "resources": entries})


def _entry(row: Resource) -> Document:
    entry: Document = {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": row.verbs,
    }
    if row.short_names:
        entry["shortNames"] = row.short_names
    if row.categories:
        entry["categories"] = row.categories
    if row.storage_version_hash:
        entry["storageVersionHash"] = row.storage_version_hash
    return entry


def _subresources(row: Resource, custom: bool) -> Sequence[Subresource]:
    """Built-in ones in the order of the alphabet, those of custom resources as they come."""
    return row.subresources if custom else sorted(row.subresources, key=lambda each: each.name)


def _sub_entry(row: Resource, sub: Subresource) -> Document:
    entry: Document = {"name": f"{row.plural}/{sub.name}", "singularName": "", "namespaced": row.namespaced}
    if sub.version and (sub.group, sub.version) != (row.group, row.version):
        entry.update({"group": sub.group, "version": sub.version})
    return {**entry, "kind": sub.kind, "verbs": sub.verbs}


def aggregated(listing: Listing, *, core: bool, version: str = "v2") -> tuple[bytes, str]:
    """(document, ETag) of `/api` (core) or `/apis`, for clients that ask for everything at once."""
    names = [""] if core else listing.groups()
    items = [_discovered(listing, name) for name in names]
    document = {"kind": AGGREGATED, "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {}, "items": items}
    body = orjson.dumps(document)
    return body, etag(body)


def etag(body: bytes) -> str:
    return '"' + hashlib.sha512(body).hexdigest().upper() + '"'


def content_type(version: str) -> str:
    """Clients compare the parameters: anything else means the legacy document."""
    return f"application/json;g=apidiscovery.k8s.io;v={version};as={AGGREGATED}"


def asked_version(accept: str) -> str | None:
    """The version of the aggregated document that an Accept header asks for; None for the legacy document."""
    for part in accept.split(","):
        media, *rest = (each.strip() for each in part.split(";"))
        parameters = dict(each.partition("=")[::2] for each in rest)
        if media not in ("application/json", "*/*"):
            continue
        version = parameters.get("v", "")
        if parameters.get("as") != AGGREGATED:
            return None
        if parameters.get("g") == "apidiscovery.k8s.io" and version in AGGREGATED_VERSIONS:
            return version
    return None


def _discovered(listing: Listing, name: str) -> Document:
    versions = [_discovered_version(listing, name, each) for each in listing.versions(name)]
    return {"metadata": {"name": name} if name else {}, "versions": versions}


def _discovered_version(listing: Listing, group: str, version: str) -> Document:
    remote = next((each for each in listing.remote if (each.group, each.version) == (group, version)), None)
    if remote is not None:
        entries: Iterable[Document] = remote.resources
        fresh = remote.current
    else:
        entries = [_discovered_resource(row, group in listing.custom) for row in listing.of(group, version)]
        fresh = True
    return {"version": version, "resources": list(entries), "freshness": "Current" if fresh else "Stale"}


def _discovered_resource(row: Resource, custom: bool) -> Document:
    # Built-in kinds leave out what is their list's own group and version, custom ones do not.
    where = {"group": row.group, "version": row.version} if custom else {"group": "", "version": ""}
    entry: Document = {
        "resource": row.plural,
        "responseKind": {**where, "kind": row.kind},
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": row.verbs,
    }
    if row.short_names:
        entry["shortNames"] = row.short_names
    if row.categories:
        entry["categories"] = row.categories
    subs = _subresources(row, custom)
    if subs:
        entry["subresources"] = [_discovered_sub(row, each, where) for each in subs]
    return entry


def _discovered_sub(row: Resource, sub: Subresource, where: Mapping[str, str]) -> Document:
    foreign = bool(sub.version) and (sub.group, sub.version) != (row.group, row.version)
    place = {"group": sub.group, "version": sub.version} if foreign else where
    return {"subresource": sub.name, "responseKind": {**place, "kind": sub.kind}, "verbs": sub.verbs}
