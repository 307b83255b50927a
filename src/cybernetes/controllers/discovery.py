"""What resources the API server has, as controllers that work on all of them need to know it."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from cybernetes.base.errors import ApiError
from cybernetes.client.answer import whole_body
from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target

# All groups with all that is in them, in one answer.
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Found(msgspec.Struct, frozen=True):
    target: Target
    verbs: frozenset[str]
    subresources: frozenset[str] = frozenset()


class Discovery(msgspec.Struct, frozen=True):
    """Each resource once, under its preferred version. failures: groups that could not be read, with the reason."""

    resources: tuple[Found, ...]
    failures: tuple[str, ...]


async def discover(client: ApiClient) -> Discovery:
    """Raises ApiError, EdgeError when the server does not tell."""
    found: dict[tuple[str, str], Found] = {}
    failures = []
    for path in ("/api", "/apis"):
        for each in (await _get(client, path)).get("items") or ():
            group = (each.get("metadata") or {}).get("name", "")
            # The preferred one comes first.
            for version in each["versions"]:
                name = version["version"]
                if version.get("freshness") == "Stale":
                    # One broken extension must not hide the other resources.
                    failures.append(f"{group}/{name}: stale GroupVersion discovery: {group}/{name}")
                    continue
                for row in version.get("resources") or ():
                    found.setdefault((group, row["resource"]), _found(group, name, row))
    return Discovery(tuple(found.values()), tuple(failures))


def _found(group: str, version: str, row: dict[str, Any]) -> Found:
    target = Target(group, version, row["resource"], row["responseKind"]["kind"], row["scope"] == "Namespaced")
    subresources = frozenset(each["subresource"] for each in row.get("subresources") or ())
    return Found(target, frozenset(row.get("verbs") or ()), subresources)


async def _get(client: ApiClient, path: str) -> dict[str, Any]:
    answer = await client.raw("GET", path, headers={"accept": AGGREGATED})
    decoded: dict[str, Any] = orjson.loads(await whole_body(answer))
    return decoded


class Kinds:
    """The resource of a kind, as references name it; read anew when a kind is not known."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._found: dict[tuple[str, str], Found] = {}

    async def target(self, api_version: str, kind: str) -> Target:
        return (await self.found(api_version, kind)).target

    async def found(self, api_version: str, kind: str) -> Found:
        """Raises ApiError 404 with Kubernetes' words when nothing of this kind is served."""
        key = (api_version.rpartition("/")[0], kind)
        if key not in self._found:
            found = await discover(self._client)
            self._found = {(each.target.group, each.target.kind): each for each in found.resources}
        if key not in self._found:
            raise ApiError(404, "", f'no matches for kind "{kind}" in version "{api_version}"')
        return self._found[key]
