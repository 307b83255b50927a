"""An index finds what looking at every item finds, whatever happened to the items, before and after it was made."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from cybernetes.apiserver.cache.index import text_at
from cybernetes.apiserver.cache.state import ResourceState
from cybernetes.store.api import Event

PATH = "spec.nodeName"
LABEL = "example.test/node"
PREFIX = "/core/pods/"
NODES = st.sampled_from([None, "", "n1", "n2"])
PLACES = st.sampled_from(["a/x", "a/y", "b/x", "b/z"])
# A place, and the node of the pod that is written there; () deletes it.
CHANGES = st.lists(st.tuples(PLACES, st.just(()) | st.tuples(NODES)), max_size=20)


def put(place: str, node: str | None, revision: int) -> Event:
    spec = {"containers": [{"nodeName": "not this"}], **({} if node is None else {"nodeName": node})}
    metadata = {"name": place, **({} if node is None else {"labels": {LABEL: node}})}
    value = b"v1 Pod\n" + orjson.dumps({"metadata": metadata, "spec": spec})
    return Event(PREFIX + place, value, None, revision, revision)


@given(CHANGES, st.integers(0, 20), st.sampled_from(["", "a", "b"]), st.sampled_from(["", "a/y", "b/"]))
def test_having_is_a_filtered_range(
    changes: list[tuple[str, tuple[str | None, ...]]], asked_after: int, namespace: str, start: str
) -> None:
    state = ResourceState(PREFIX, 1)
    read = text_at(PATH)
    for n, (place, node) in enumerate(changes):
        if n == asked_after:
            assert len(list(state.having(PATH, "n1"))) == len(list(state.labelled(LABEL, "n1")))
        state.reduce(put(place, node[0], n + 2) if node else Event(PREFIX + place, None, None, n + 2, 1))
    for value in ("", "n1", "n2", "n3"):
        wanted = [item for item in state.range(namespace, start) if read(item.json) == value]
        assert list(state.having(PATH, value, namespace, start)) == wanted
        labelled = [item for item in state.range(namespace) if item.labels.get(LABEL, "") == value]
        assert list(state.labelled(LABEL, value, namespace)) == labelled
    assert state.count(namespace, start) == len(list(state.range(namespace, start)))
