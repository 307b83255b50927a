"""What resources the API server has, as controllers that work on all of them need to know it."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target


class Found(msgspec.Struct, frozen=True):
    target: Target
    verbs: frozenset[str]


class Discovery(msgspec.Struct, frozen=True):
    """Each resource once, under its preferred version. failures: groups that could not be read, with the reason."""

    resources: tuple[Found, ...]
    failures: tuple[str, ...]


async def discover(client: ApiClient) -> Discovery:
    """Raises ApiError, EdgeError when not even the list of groups can be read."""
    found: dict[tuple[str, str], Found] = {}
    failures = []
    for group, version in [("", "v1"), *await _group_versions(client)]:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            listed = await _get(client, path)
        except (ApiError, EdgeError) as error:
            # One broken extension must not hide the other resources.
            failures.append(f"{group}/{version}: {error}")
            continue
        for row in listed.get("resources") or []:
            if "/" not in row["name"]:
                found.setdefault((group, row["name"]), _found(group, version, row))
    return Discovery(tuple(found.values()), tuple(failures))


async def _group_versions(client: ApiClient) -> list[tuple[str, str]]:
    """The preferred version of each group first, then its others."""
    listed = await _get(client, "/apis")
    versions = []
    for group in listed.get("groups") or []:
        preferred = (group.get("preferredVersion") or {}).get("version")
        offered = [each["version"] for each in group["versions"]]
        versions += [(group["name"], each) for each in sorted(offered, key=lambda each: each != preferred)]
    return versions


def _found(group: str, version: str, row: dict[str, Any]) -> Found:
    target = Target(group, version, row["name"], row["kind"], bool(row.get("namespaced")))
    return Found(target, frozenset(row.get("verbs") or ()))


async def _get(client: ApiClient, path: str) -> dict[str, Any]:
    decoded: dict[str, Any] = orjson.loads(await whole_body(await client.raw("GET", path)))
    return decoded


class Kinds:
    """The resource of a kind, as references name it; read anew when a kind is not known."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._targets: dict[tuple[str, str], Target] = {}

    async def target(self, api_version: str, kind: str) -> Target:
        """Raises ApiError 404 with Kubernetes' words when nothing of this kind is served."""
        key = (api_version.rpartition("/")[0], kind)
        if key not in self._targets:
            found = await discover(self._client)
            self._targets = {(each.target.group, each.target.kind): each.target for each in found.resources}
        if key not in self._targets:
            raise ApiError(404, "", f'no matches for kind "{kind}" in version "{api_version}"')
        return self._targets[key]
