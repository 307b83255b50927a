"""Deletes what is in a namespace and tells what is left.

source  Kubernetes API reference, Namespace v1: NamespaceCondition
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.client.api import METADATA_LIST_ONLY, ApiClient
from cybernetes.client.target import PODS, Target
from cybernetes.controllers.discovery import Discovery, Found
from cybernetes.controllers.namespace.plan import Remains
from cybernetes.controllers.objects import Metadata

_decoder = msgspec.json.Decoder(Metadata)
# Objects without a collection to delete are deleted one by one, so many in one look.
SINGLY_MAX = 500


async def empty(client: ApiClient, namespace: str, discovery: Discovery, grace_of_pods_s: int) -> Remains:
    """One round: pods first, so that nothing they need goes before them; the rest once no pod is left."""
    remains = Remains(discovery=discovery.failures)
    found = [each for each in discovery.resources if each.target.namespaced and {"list", "delete"} <= each.verbs]
    first = [each for each in found if each.target == PODS]
    await _delete(client, namespace, first, remains)
    if remains.instances:
        remains.grace_s = grace_of_pods_s
        return remains
    await _delete(client, namespace, [each for each in found if each.target != PODS], remains)
    return remains


async def _delete(client: ApiClient, namespace: str, resources: Sequence[Found], remains: Remains) -> None:
    for each in resources:
        try:
            await _delete_one_resource(client, namespace, each, remains)
        except ApiError as error:
            # Gone in between, or never served lists: nothing to delete here.
            if error.code not in (404, 405):
                remains.failures.append(f"{_shown(each.target)}: {error}")
        except EdgeError as error:
            remains.failures.append(f"{_shown(each.target)}: {error}")


async def _delete_one_resource(client: ApiClient, namespace: str, found: Found, remains: Remains) -> None:
    if not await _listed(client, namespace, found.target):
        return
    if "deletecollection" in found.verbs:
        await client.delete_collection(found.target, namespace=namespace, propagation="Background")
    else:
        for each in (await _listed(client, namespace, found.target))[:SINGLY_MAX]:
            await client.delete(found.target, each.metadata.name, namespace=namespace, propagation="Background")
    left = await _listed(client, namespace, found.target)
    if left:
        remains.instances[_shown(found.target)] += len(left)
    for each in left:
        remains.finalizers.update(each.metadata.finalizers)


async def _listed(client: ApiClient, namespace: str, target: Target) -> list[Metadata]:
    found: list[Metadata] = []
    async for page in client.pages(target, namespace=namespace, accept=METADATA_LIST_ONLY):
        found += [_decoder.decode(item) for item in page.items]
    return found


def _shown(target: Target) -> str:
    """`pods.`, `deployments.apps`: with the dot even in the core group, as Kubernetes prints it."""
    return f"{target.plural}.{target.group}"
