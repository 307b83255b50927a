"""Which tolerations are for which taints."""

import msgspec
import pytest

from cybernetes.model import placement


class Mark(msgspec.Struct):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


TAINT = Mark(key="dedicated", value="search", effect="NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        (Mark("dedicated", "Equal", "search", "NoSchedule"), True),
        (Mark("dedicated", "", "search", "NoSchedule"), True),
        (Mark("dedicated", "Equal", "mail", "NoSchedule"), False),
        (Mark("dedicated", "Exists"), True),
        (Mark("", "Exists"), True),
        (Mark("", "Exists", "", "NoExecute"), False),
        (Mark("other", "Exists"), False),
        (Mark("dedicated", "Gt", "1"), False),
    ],
)
def test_a_toleration_fits_by_key_value_and_effect_and_what_is_empty_is_any(toleration, fits):
    assert placement.tolerates(toleration, TAINT) == fits
    assert placement.tolerated(TAINT, [Mark("other", "Exists"), toleration]) == fits


def test_plain_objects_are_held_to_the_same_rule():
    taint = {"key": "dedicated", "effect": "NoExecute"}
    assert placement.bears([{"key": "dedicated", "operator": "Exists", "value": None}], taint)
    assert placement.bears([{"key": "dedicated"}], taint)
    assert not placement.bears([{"key": "dedicated", "value": "search"}], taint)
    assert not placement.bears([], taint)
