"""Sets of field paths, in the shape of managedFields' FieldsV1: what an object has, what changed, who owns it.

A set is a tree of dicts: path element -> subtree; the key "." in a subtree says that the path itself is
a member. Elements are `f:NAME` (field or map key), `k:{...}` (item of a list map by its keys) and
`v:VALUE` (item of a set). FieldsV1 writes a subtree that holds only "." as {}.

source  Kubernetes "Server-Side Apply" (KEP-555); sigs.k8s.io/structured-merge-diff
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from cybernetes.model.schema.node import ListNode, MapNode, Node, StructNode, UnionNode

Set = dict[str, Any]
MEMBER = "."
_YES: Set = {}


class Comparison(msgspec.Struct, frozen=True):
    added: Set
    modified: Set
    removed: Set


# ---- algebra -------------------------------------------------------------------------------------------------------


def union(left: Set, right: Set) -> Set:
    if not right:
        return left
    out = dict(left)
    for key, child in right.items():
        out[key] = union(out[key], child) if key in out else child
    return out


def difference(left: Set, right: Set) -> Set:
    """What is in `left` and not in `right`, path by path."""
    return _combine(left, right, keep_common=False)


def intersection(left: Set, right: Set) -> Set:
    return _combine(left, right, keep_common=True)


def _combine(left: Set, right: Set, *, keep_common: bool) -> Set:
    out: Set = {}
    for key, child in left.items():
        if key == MEMBER:
            if (MEMBER in right) == keep_common:
                out[MEMBER] = _YES
            continue
        rest = _combine(child, right.get(key, _YES), keep_common=keep_common)
        if rest:
            out[key] = rest
    return out


def without(tree: Set, path: tuple[str, ...]) -> Set:
    """The set without a field and everything below it."""
    key = f"f:{path[0]}"
    if key not in tree:
        return tree
    out = dict(tree)
    rest = without(out[key], path[1:]) if len(path) > 1 else {}
    if rest:
        out[key] = rest
    else:
        del out[key]
    return out


def decode(fields: dict[str, Any]) -> Set:
    """A set from FieldsV1, which clients may have written: what is no set below a field is nothing below it."""
    return {key: _decoded(child) for key, child in fields.items()}


def _decoded(child: Any) -> Set:
    if not isinstance(child, dict) or not child:
        return {MEMBER: _YES}
    return {key: _YES if key == MEMBER else _decoded(below) for key, below in child.items()}


def encode(tree: Set) -> dict[str, Any]:
    """FieldsV1 of a set."""
    return {
        key: {} if key == MEMBER or child.keys() == {MEMBER} else encode(child) for key, child in sorted(tree.items())
    }


def paths(tree: Set, prefix: str = "") -> list[str]:
    """Members as people read them: `.spec.containers[name="c"].image`."""
    found = [prefix] if MEMBER in tree and prefix else []
    for key, child in sorted(tree.items()):
        if key != MEMBER:
            found += paths(child, prefix + shown_element(key))
    return found


def shown_element(element: str) -> str:
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return f".{text}"
    if kind == "k:":
        return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in sorted(orjson.loads(text).items())) + "]"
    return f"[={text}]" if kind == "v:" else f"[{text}]"


# ---- what a value holds --------------------------------------------------------------------------------------------


def of(node: Node, value: Any) -> Set:
    """Every field that a value sets."""
    tree: Set = {}
    _collect(node, value, tree)
    return tree


def _collect(node: Node, value: Any, tree: Set) -> None:
    node = resolved(node, value)
    if isinstance(value, dict) and _is_granular(node):
        for key, child in value.items():
            below = child_node(node, key)
            at = tree.setdefault(f"f:{key}", {})
            named = isinstance(node, StructNode)
            if child is None or child == {} or not named:
                at[MEMBER] = _YES
            _collect(below, child, at)
            if not at:
                del tree[f"f:{key}"]
        return
    if isinstance(value, list) and isinstance(node, ListNode) and node.list_type != "atomic":
        for item in value:
            at = tree.setdefault(element(node, item), {})
            at[MEMBER] = _YES
            _collect(node.item, item, at)
        return
    if isinstance(value, dict) and value == {} and _is_granular(node):
        return
    tree[MEMBER] = _YES


def _is_granular(node: Node) -> bool:
    if isinstance(node, StructNode | MapNode):
        return node.map_type != "atomic"
    return node.type == "free"


_FREE = Node("free")


def child_node(node: Node, key: str) -> Node:
    if isinstance(node, StructNode):
        field = node.fields.get(key)
        return field.node if field else _FREE
    return node.value if isinstance(node, MapNode) else _FREE


def resolved(node: Node, value: Any) -> Node:
    """The member of a union that a value is of."""
    if not isinstance(node, UnionNode):
        return node
    for member in node.members:
        if isinstance(value, dict) and isinstance(member, StructNode | MapNode):
            return member
        if isinstance(value, list) and isinstance(member, ListNode):
            return member
    return _FREE


def element(node: ListNode, item: Any) -> str:
    """The path element of an item of a set or list map. Raises KeyError for a missing key."""
    if node.list_type == "set":
        return "v:" + orjson.dumps(item).decode()
    keys = {}
    for key in sorted(node.list_keys):
        value = item.get(key) if isinstance(item, dict) else None
        if value is None:
            value = _default_key(node, key)
        keys[key] = value
    return "k:" + orjson.dumps(keys).decode()


def _default_key(node: ListNode, key: str) -> Any:
    if key in node.key_defaults:
        return node.key_defaults[key]
    # Go writes these fields always, so their zero value is a value.
    field = node.item.fields.get(key) if isinstance(node.item, StructNode) else None
    if field is not None and field.form == "zero" and field.node.type == "string":
        return ""
    raise KeyError(key)


# ---- what differs --------------------------------------------------------------------------------------------------

_ABSENT = object()


def compare(node: Node, old: Any, new: Any) -> Comparison:
    added: Set = {}
    modified: Set = {}
    removed: Set = {}
    _compare(node, old, new, (added, modified, removed))
    return Comparison(_pruned(added), _pruned(modified), _pruned(removed))


def _compare(node: Node, old: Any, new: Any, out: tuple[Set, Set, Set]) -> None:
    if old is new:
        return
    node = resolved(node, old if new is _ABSENT else new)
    if _descends(node, old, new):
        if isinstance(node, ListNode):
            _compare_items(node, _listed(old), _listed(new), out)
        else:
            _compare_fields(node, old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {}, out)
        if old is _ABSENT:
            out[0][MEMBER] = _YES
        elif new is _ABSENT:
            out[2][MEMBER] = _YES
        return
    if old is _ABSENT:
        out[0][MEMBER] = _YES
    elif new is _ABSENT:
        out[2][MEMBER] = _YES
    elif old != new:
        out[1][MEMBER] = _YES


def _descends(node: Node, old: Any, new: Any) -> bool:
    """Empty on both sides is taken as one value, to tell {} from null."""
    if isinstance(node, ListNode):
        return node.list_type != "atomic" and bool(_listed(old) or _listed(new))
    if not _is_granular(node):
        return False
    mapped = [each for each in (old, new) if isinstance(each, dict) and each]
    return bool(mapped) and all(isinstance(each, dict) or each in (None, _ABSENT) for each in (old, new))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _compare_fields(node: Node, old: dict[str, Any], new: dict[str, Any], out: tuple[Set, Set, Set]) -> None:
    for key in {**old, **new}:
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if before is not after and before != after:
            _compare(child_node(node, key), before, after, tuple(each.setdefault(f"f:{key}", {}) for each in out))


def _compare_items(node: ListNode, old: list[Any], new: list[Any], out: tuple[Set, Set, Set]) -> None:
    before = {element(node, item): item for item in old}
    after = {element(node, item): item for item in new}
    for key in {**before, **after}:
        left, right = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if left is not right and left != right:
            _compare(node.item, left, right, tuple(each.setdefault(key, {}) for each in out))


def _pruned(tree: Set) -> Set:
    out: Set = {}
    for key, child in tree.items():
        if key == MEMBER:
            out[key] = child
        elif below := _pruned(child):
            out[key] = below
    return out


# ---- changing a value ----------------------------------------------------------------------------------------------


def named_as_members(node: Node, tree: Set) -> Set:
    """The set with every struct field on a member's way as a member too."""
    out: Set = {}
    for key, child in tree.items():
        if key == MEMBER:
            out[key] = child
            continue
        below = _below(node, key)
        inner = named_as_members(below, child)
        named = isinstance(node, StructNode) and key[2:] in node.fields
        out[key] = {**inner, MEMBER: _YES} if named and inner.keys() != {MEMBER} else inner
    return out


def _below(node: Node, key: str) -> Node:
    if key.startswith("f:"):
        return child_node(node, key[2:])
    return node.item if isinstance(node, ListNode) else _FREE


def remove(node: Node, value: Any, tree: Set) -> Any:
    """The value without the members of a set; what becomes empty by it becomes None."""
    node = resolved(node, value)
    if isinstance(value, dict) and value and _is_granular(node):
        kept = {}
        for key, child in value.items():
            doomed = tree.get(f"f:{key}")
            if doomed is None:
                kept[key] = child
            elif MEMBER not in doomed:
                kept[key] = remove(child_node(node, key), child, doomed)
        return kept or None
    if isinstance(value, list) and value and isinstance(node, ListNode) and node.list_type != "atomic":
        items = []
        for item in value:
            doomed = tree.get(element(node, item))
            if doomed is None:
                items.append(item)
            elif MEMBER not in doomed:
                items.append(remove(node.item, item, doomed))
        return items or None
    return value


def merge(node: Node, live: Any, applied: Any) -> Any:
    """`live` with everything that `applied` sets."""
    if applied is None:
        return live if live and _has_parts(resolved(node, live), live) else None
    node = resolved(node, applied)
    if isinstance(applied, dict) and _is_granular(node):
        out = dict(live) if isinstance(live, dict) else {}
        for key, value in applied.items():
            out[key] = merge(child_node(node, key), out.get(key), value)
        return out
    if isinstance(applied, list) and isinstance(node, ListNode) and node.list_type != "atomic":
        return _merge_items(node, _listed(live), applied)
    return applied


def _has_parts(node: Node, value: Any) -> bool:
    """Whether its parts have owners of their own: null leaves them alone, and empties what is one value."""
    if isinstance(value, dict):
        return _is_granular(node)
    return isinstance(value, list) and isinstance(node, ListNode) and node.list_type != "atomic"


def _merge_items(node: ListNode, live: list[Any], applied: list[Any]) -> list[Any]:
    """Applied items in the order in which they were applied, live ones between them where they stood."""
    left = [(element(node, item), item) for item in live]
    right = [(element(node, item), item) for item in applied]
    left_items, right_items = dict(left), dict(right)
    shared = [key for key, _ in right if key in left_items]
    done: set[str] = set()
    out = []
    i = j = 0
    while i < len(left) or j < len(right):
        if i < len(left):
            key = left[i][0]
            if j < len(right) and key == right[j][0]:
                out.append(merge(node.item, left[i][1], right[j][1]))
                done.add(key)
                i, j = i + 1, j + 1
                shared = shared[1:]
                continue
            if key in right_items and j < len(right) and shared and shared[0] != key:
                i += 1
                continue
            if key not in right_items:
                out.append(left[i][1])
                i += 1
                continue
            if key in done:
                i += 1
        if j < len(right):
            key = right[j][0]
            out.append(merge(node.item, left_items.get(key), right[j][1]))
            done.add(key)
            j += 1
            if shared and shared[0] == key:
                shared = shared[1:]
    return out
