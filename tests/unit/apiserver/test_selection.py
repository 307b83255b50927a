"""Selections: what matches, and how a change looks to a watch."""

from __future__ import annotations

import json

import pytest

from cybernetes.apiserver.cache.selection import ADDED, DELETED, MODIFIED, Selection
from cybernetes.apiserver.cache.state import SHARED_LABELS_BYTES_MAX, Event, Item
from cybernetes.apiserver.cache.watch import QUEUE_MAX, Hub, Watcher
from cybernetes.apiserver.registry import Registry
from cybernetes.base.errors import ApiError
from cybernetes.model.selector import parse_fields, parse_labels

REGISTRY = Registry()
PODS = REGISTRY.find("", "v1", "pods")
assert PODS is not None


def pod(name: str, revision: int, labels: str = "", node: str = "") -> Item:
    spec = b'"spec":{"nodeName":"%b"}' % node.encode() if node else b'"spec":{}'
    json = b'{"metadata":{"resourceVersion":"%d","name":"%b","labels":{%b}},%b}' % (
        revision,
        name.encode(),
        labels.encode(),
        spec,
    )
    return Item(f"shop/{name}", json, revision, 1)


def select(labels: str = "", fields: str = "", namespace: str = "shop") -> Selection:
    return Selection(PODS, namespace, parse_labels(labels), parse_fields(fields))


@pytest.mark.parametrize(
    ("labels", "fields", "matches"),
    [
        ("", "", True),
        ("app=web", "", True),
        ("app!=web", "", False),
        ("app in (web,db),tier", "", False),
        ("", "spec.nodeName=one", True),
        ("", "spec.nodeName!=one", False),
        ("", "metadata.name=a,metadata.namespace=shop", True),
        ("app=web", "spec.nodeName=two", False),
    ],
)
def test_matches_labels_and_fields(labels: str, fields: str, matches: bool) -> None:
    assert select(labels, fields).matches(pod("a", 2, '"app":"web"', "one")) is matches


def test_kinds_of_the_cluster_may_be_asked_for_a_namespace() -> None:
    classes, nodes = REGISTRY.find("storage.k8s.io", "v1", "storageclasses"), REGISTRY.find("", "v1", "nodes")
    assert classes is not None
    assert nodes is not None
    item = Item("slow", b'{"metadata":{"resourceVersion":"2","name":"slow"}}', 2, 1)
    asked = [
        Selection(classes, "", parse_labels(""), parse_fields(f"metadata.namespace{text}")) for text in ("=", "=x")
    ]
    assert [each.matches(item) for each in asked] == [True, False]
    with pytest.raises(ApiError, match=r"field label not supported: metadata\.namespace"):
        Selection(nodes, "", parse_labels(""), parse_fields("metadata.namespace=x"))


def test_an_object_that_begins_or_ceases_to_match_is_added_or_deleted() -> None:
    web, db = pod("a", 2, '"app":"web"'), pod("a", 3, '"app":"db"')
    selection = select("app=web")
    assert selection.transition(Event(None, web, 2)) == ADDED
    assert selection.transition(Event(web, web, 3)) == MODIFIED
    assert selection.transition(Event(web, db, 3)) == DELETED
    assert selection.transition(Event(db, web, 3)) == ADDED
    assert selection.transition(Event(db, None, 3)) is None
    assert selection.transition(Event(web, None, 3)) == DELETED


def test_other_namespaces_are_not_seen() -> None:
    assert select(namespace="other").transition(Event(None, pod("a", 2), 2)) is None


def test_a_deletion_shows_the_last_state_at_its_own_revision() -> None:
    last = Event(pod("a", 2), None, 9).last()
    assert last.json.startswith(b'{"metadata":{"resourceVersion":"9","name":"a"')


def test_unknown_fields_are_refused_in_kubernetes_words() -> None:
    with pytest.raises(ApiError, match=r"field label not supported: spec\.nope"):
        select(fields="spec.nope=1")


def watcher(selection: Selection) -> Watcher:
    return Watcher(selection, deadline=1e9, bookmarks=False)


def test_the_hub_gives_events_only_to_whom_they_concern() -> None:
    hub = Hub()
    everyone, one_name, on_node, elsewhere = (
        watcher(each)
        for each in (
            select(),
            select(fields="metadata.name=a"),
            select(fields="spec.nodeName=one"),
            select(fields="spec.nodeName=two"),
        )
    )
    for each in (everyone, one_name, on_node, elsewhere):
        hub.join(each)
    hub.publish(Event(None, pod("a", 2, node="one"), 2))
    hub.publish(Event(None, pod("b", 3, node="one"), 3))
    assert [len(each.queue) for each in (everyone, one_name, on_node, elsewhere)] == [2, 1, 2, 0]
    for each in (everyone, one_name, on_node, elsewhere):
        hub.leave(each)
    assert hub.count == 0


def test_a_pod_that_moves_to_a_node_is_seen_by_both() -> None:
    hub, before, after = Hub(), watcher(select(fields="spec.nodeName=")), watcher(select(fields="spec.nodeName=one"))
    hub.join(before)
    hub.join(after)
    hub.publish(Event(pod("a", 2), pod("a", 3, node="one"), 3))
    assert [kind for kind, _ in before.take()] == [DELETED]  # type: ignore[misc]
    assert [kind for kind, _ in after.take()] == [ADDED]  # type: ignore[misc]


def test_a_watcher_that_does_not_read_is_closed() -> None:
    slow = watcher(select())
    for n in range(QUEUE_MAX + 1):
        slow.offer(Event(None, pod(f"p-{n}", n + 2), n + 2))
    assert slow.over
    assert slow.overflowed
    assert not slow.queue


LONG = {f"key-{n}": "value" for n in range(SHARED_LABELS_BYTES_MAX // 8)}


@pytest.mark.parametrize("labels", [None, {}, {"app": "web"}, LONG])
def test_labels_of_an_item_are_read_whatever_their_length(labels: dict[str, str] | None) -> None:
    text = json.dumps({"metadata": {"resourceVersion": "2", "name": "a", "labels": labels}})
    assert Item("shop/a", text.encode(), 2, 1).labels == (labels or {})


def test_items_with_the_same_labels_share_them() -> None:
    first, second, other = (
        pod(each, 2, labels) for each, labels in zip("abc", ('"a":"1"', '"a":"1"', '"a":"2"'), strict=True)
    )
    assert first.labels is second.labels
    assert other.labels == {"a": "2"}
    assert Item("shop/d", b'{"metadata":{"name":"d"}}', 2, 1).labels == {}
