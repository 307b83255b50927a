"""A write in another version of its resource: hooks may ask for versions in which it did not come (matchPolicy)."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.registry import Registry, Served

Object = dict[str, Any]


class Equivalents:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def of(self, attributes: AdmissionAttributes) -> list[AdmissionAttributes]:
        """The write as other versions would name it; objects are not converted yet."""
        a = attributes
        served = self._registry.find(a.group, a.version, a.plural)
        if served is None:
            return []
        rows = (each.resource for each in self._registry.versions(*served.keeper) if each is not served)
        return [
            msgspec.structs.replace(a, group=row.group, version=row.version, plural=row.plural, asked=a.asked or a)
            for row in rows
        ]

    async def convert(self, attributes: AdmissionAttributes, target: AdmissionAttributes) -> None:
        """Give `target` the objects of `attributes`, in its version. Raises ApiError 500 where that can't be."""
        target.object = await self._converted(attributes.object, attributes, target)
        target.old = await self._converted(attributes.old, attributes, target)

    async def back(self, changed: Object, looked: AdmissionAttributes, attributes: AdmissionAttributes) -> Object:
        """An object that a hook changed, in the version in which the write came."""
        found = await self._converted(changed, looked, attributes)
        return changed if found is None else found

    async def _converted(
        self, obj: Object | None, source: AdmissionAttributes, target: AdmissionAttributes
    ) -> Object | None:
        before = self._registry.find(source.group, source.version, source.plural)
        after = self._registry.find(target.group, target.version, target.plural)
        # Objects of subresources (Scale, Binding) are of one version, whatever their resource's.
        if obj is None or before is None or after is None or obj.get("apiVersion") != before.resource.api_version:
            return obj
        return await _between(before, after, obj)


async def _between(source: Served, target: Served, obj: Object) -> Object:
    if source.views is not None:
        return await source.views.to(obj, target.resource.api_version)
    kept = source.to_stored(obj) if source.to_stored else obj
    return target.from_stored(kept) if target.from_stored else kept
