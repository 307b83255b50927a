from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cybernetes.store.keys import folders, overlap, prefix_end

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(TEXT, TEXT)
def test_a_key_is_below_the_end_of_its_prefix_and_the_end_has_not_the_prefix(prefix: str, rest: str):
    end = prefix_end(prefix)
    if end is None:
        assert all(character == "\U0010ffff" for character in prefix)
    else:
        end.encode()
        assert prefix <= prefix + rest < end
        assert not end.startswith(prefix)


@given(TEXT, TEXT)
def test_what_lies_between_prefix_and_end_has_the_prefix(prefix: str, key: str):
    end = prefix_end(prefix)
    inside = key >= prefix and (end is None or key < end)
    assert inside == key.startswith(prefix)


@given(st.lists(st.sampled_from(["a", "bc", "/", ""]), max_size=6).map("/".join))
def test_folders_are_all_prefixes_that_end_in_a_slash(key: str):
    assert folders(key) == [key[: n + 1] for n in range(len(key)) if key[n] == "/"]
    assert all(overlap(each, key) for each in folders(key))
