"""Whatever is put, moved and dropped: each value is due once, not before its moment and at most a step after it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cybernetes.apiserver.cache.due import Due

STEP_S = 0.5
VALUES = st.sampled_from("abcd")
CHANGES = st.lists(
    st.tuples(st.just("put"), VALUES, st.floats(0, 20))
    | st.tuples(st.just("drop"), VALUES, st.none())
    | st.tuples(st.just("take"), st.none(), st.floats(0, 20)),
    max_size=30,
)


@given(CHANGES)
def test_each_is_due_at_its_last_moment(changes: list[tuple[str, str | None, float | None]]) -> None:
    due: Due[str] = Due(STEP_S)
    wanted: dict[str, float] = {}
    for what, value, at in changes:
        if what == "put":
            assert value is not None and at is not None
            due.put(value, at)
            wanted[value] = at
        elif what == "drop":
            assert value is not None
            due.drop(value)
            wanted.pop(value, None)
        else:
            assert at is not None
            found = due.take(at)
            assert len(found) == len(set(found))
            assert {each for each, moment in wanted.items() if moment + STEP_S <= at} <= set(found)
            assert all(wanted.pop(each) <= at for each in found)
    assert sorted(due.take(1e9)) == sorted(wanted)
