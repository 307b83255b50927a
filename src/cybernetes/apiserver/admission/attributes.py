"""One write, as admission sees it."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.auth.user import User
from cybernetes.base.errors import ApiError, forbidden

Object = dict[str, Any]


class AdmissionAttributes(msgspec.Struct, kw_only=True):
    """operation is CREATE, UPDATE, DELETE or CONNECT.

    object       what is to be stored; plugins of the mutating phase change it in place; None for deletes
    old          what is stored now; None on create. Not to be changed
    options      the delete options of a delete
    warnings     texts of Warning headers, appended to
    annotations  of the audit event, added to
    asked        the write as it came, where this is how another version of its resource shows it
    reinvoke     set by plugins of others that changed the object: all mutating plugins look once more
    again        whether this is that second look
    output       the object as the webhooks left it, and which of them want to be asked again
    mutated      the same of policies
    """

    operation: str
    group: str
    version: str
    kind: str
    plural: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    object: Object | None = None
    old: Object | None = None
    options: Object = {}
    user: User
    dry_run: bool = False
    warnings: list[str] = []
    annotations: dict[str, str] = {}
    asked: AdmissionAttributes | None = None
    reinvoke: bool = False
    again: bool = False
    output: Any = None
    mutated: Any = None

    @property
    def new(self) -> Object:
        """The object; only where the operation has one."""
        assert self.object is not None
        return self.object

    @property
    def before(self) -> Object:
        """The stored object; only where the operation has one."""
        assert self.old is not None
        return self.old

    def forbidden(self, why: str) -> ApiError:
        return forbidden(self.group, self.plural, self._shown_name(), why)

    def _shown_name(self) -> str:
        """An object that has no name yet is called by the start of its name."""
        if self.name:
            return self.name
        metadata = (self.object or {}).get("metadata") or {}
        return metadata.get("name") or metadata.get("generateName") or "Unknown"


class Place(msgspec.Struct, frozen=True):
    """What decides which plugins look at a write."""

    operation: str
    group: str
    plural: str
    subresource: str

    def is_(self, group: str, plural: str, *operations: str, subresource: str = "") -> bool:
        return (
            self.group == group
            and self.plural == plural
            and self.subresource == subresource
            and self.operation in operations
        )

    def is_pod(self, *operations: str, subresource: str = "") -> bool:
        return self.is_("", "pods", *operations, subresource=subresource)
