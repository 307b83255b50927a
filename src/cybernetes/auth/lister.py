"""What authentication, authorization and admission need to know of the cluster's objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Object = dict[str, Any]
# Called with (old, new); old is None for what exists already or is new, new is None for what is gone.
Change = Callable[[Object | None, Object | None], None]

RBAC = "rbac.authorization.k8s.io"


class Lister(Protocol):
    """Reads of current objects; what is returned belongs to the caller."""

    def get(self, group: str, plural: str, namespace: str, name: str) -> Object | None: ...

    def labels(self, group: str, plural: str, namespace: str, name: str) -> Mapping[str, str]:
        """An object's labels, not to be changed; none of one that does not exist."""
        ...

    def labelled(self, group: str, plural: str, namespace: str, label: str, value: str) -> list[Object]:
        """Objects of a namespace whose label has this value."""
        ...

    def list(self, group: str, plural: str, namespace: str | None = None) -> list[Object]: ...

    def subscribe(self, group: str, plural: str, callback: Change) -> None: ...

    def subscribe_specs(self, group: str, plural: str, callback: Change, holding: str = "") -> None:
        """Changes of spec and annotations only; a callback may be called for others too.

        holding  objects without a field of this name may be absent to the subscriber
        """
        ...
