"""What cells share: ages, labels, lists that are cut short, and the columns that most tables have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cybernetes.base.clock import parse_rfc3339
from cybernetes.model import selector
from cybernetes.model.resource import Column, Object

NONE, UNSET, UNKNOWN = "<none>", "<unset>", "<unknown>"


def human_duration(seconds: float) -> str:
    """`45s`, `5m30s`, `3h12m`, `2d4h`, `41d`, `2y10d`: the two largest units that still say something."""
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    total = int(seconds)
    if total < 120:
        return f"{total}s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 10:
        return _pair(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def since(timestamp: str | None, now: float) -> str:
    """The time since an RFC 3339 timestamp; `<unknown>` without one."""
    if not timestamp:
        return UNKNOWN
    try:
        return human_duration(now - parse_rfc3339(timestamp))
    except ValueError:
        return UNKNOWN


def format_labels(labels: Mapping[str, str] | None) -> str:
    """`a=b,c=d` in key order; `<none>` when there are none."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) if labels else NONE


def format_selector(chosen: Mapping[str, Any] | None) -> str:
    """A LabelSelector as text; `<none>` when it is empty, `<error>` when it makes no sense."""
    try:
        return selector_text(chosen) or NONE
    except ValueError:
        return "<error>"


def selector_text(chosen: Mapping[str, Any] | None) -> str:
    """`app=web,tier in (a,b)` in order of keys; "" for an empty selector. Raises ValueError for an unknown operator."""
    if not chosen:
        return ""
    parts = [(key, f"{key}={value}") for key, value in (chosen.get("matchLabels") or {}).items()]
    expressions = selector.from_object({"matchExpressions": chosen.get("matchExpressions") or []}) or ()
    parts += [(each.key, str(each)) for each in expressions]
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0]))


def first_few(items: Sequence[str], most: int = 3) -> str:
    """Up to `most` items joined by commas, and how many more there are."""
    text = ",".join(items[:most])
    return f"{text} + {len(items) - most} more..." if len(items) > most else text


def at(obj: Object, *path: str, default: Any = None) -> Any:
    """The value at a path; the default where some part is absent."""
    node: Any = obj
    for part in path:
        if not isinstance(node, dict):
            return default
        node = node.get(part)
    return default if node is None else node


def column(name: str, cell: Any, description: str = "", type_: str = "string", *, wide: bool = False) -> Column:
    return Column(name=name, type=type_, description=description, priority=int(wide), cell=cell)


def field(
    name: str, description: str, *path: str, default: Any = "", type_: str = "string", wide: bool = False
) -> Column:
    """A column that shows the value at a path as it is."""
    return column(name, lambda obj, now: at(obj, *path, default=default), description, type_, wide=wide)


def text(name: str, description: str, *path: str, default: str = "", wide: bool = False) -> Column:
    """A column that shows the value at a path as text."""
    return column(name, lambda obj, now: str(at(obj, *path, default=default)), description, wide=wide)


def number(name: str, description: str, *path: str, wide: bool = False) -> Column:
    return field(name, description, *path, default=0, type_="integer", wide=wide)


def count(name: str, description: str, *path: str, type_: str = "integer") -> Column:
    return column(name, lambda obj, now: len(at(obj, *path, default=())), description, type_)


def containers_of(template: Object) -> Sequence[Object]:
    found: Sequence[Object] = at(template, "spec", "containers", default=())
    return found


def container_columns(*path: str, wide: bool = True) -> tuple[Column, Column]:
    """Names and images of the containers of the pod template at a path."""

    def names(obj: Object, now: float) -> str:
        return ",".join(each["name"] for each in containers_of(at(obj, *path, default={})))

    def images(obj: Object, now: float) -> str:
        return ",".join(each.get("image", "") for each in containers_of(at(obj, *path, default={})))

    return (
        column("Containers", names, "Names of each container in the template.", wide=wide),
        column("Images", images, "Images referenced by each container in the template.", wide=wide),
    )


def joined(items: Iterable[str]) -> str:
    return ",".join(items)


def is_true(conditions: Iterable[Object], type_: str) -> bool:
    return any(each.get("type") == type_ and each.get("status") == "True" for each in conditions)


_META = "@io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

NAME = Column(
    name="Name",
    format="name",
    description=f"{_META}#name",
    cell=lambda obj, now: at(obj, "metadata", "name", default=""),
)
AGE = column("Age", lambda obj, now: since(at(obj, "metadata", "creationTimestamp"), now), f"{_META}#creationTimestamp")
CREATED = column(
    "Created At",
    lambda obj, now: at(obj, "metadata", "creationTimestamp", default=""),
    f"{_META}#creationTimestamp",
    "date",
)
# Kinds that print nothing of their own.
PLAIN = (NAME, CREATED)
NAME_AND_AGE = (NAME, AGE)


def marked_default(*annotations: str) -> Column:
    """The name, with ` (default)` where an annotation says so."""

    def name(obj: Object, now: float) -> str:
        found = at(obj, "metadata", "annotations", default={})
        is_default = any(found.get(each) == "true" for each in annotations)
        return str(obj["metadata"]["name"]) + (" (default)" if is_default else "")

    return Column(name="Name", format="name", description=f"{_META}#name", cell=name)
