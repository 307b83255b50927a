"""Label selectors as hashable values: equal selectors are one value, so that what was counted for one is found again.

source  Kubernetes documentation "Labels and Selectors"; "Assigning Pods to Nodes" for Gt and Lt
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cybernetes.scheduler.objects import LabelRequirement, LabelSelector

INT64_MAX = 2**63 - 1
# Longer numbers are none to Kubernetes; leading zeros that make more of it are not worth a loop of the parser.
DIGITS_MAX = 64


class Requirement(msgspec.Struct, frozen=True, gc=False, order=True):
    """One condition on one label; `values` sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def accepts(self, value: str | None) -> bool:
        """Whether a label with this value (None: absent) fulfils the condition."""
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return value is not None and len(self.values) == 1 and _compares(self.operator, value, self.values[0])
        return False


# All requirements must hold; () accepts everything. None stands for a selector that accepts nothing.
Selector = tuple[Requirement, ...]


def compile_selector(selector: LabelSelector | None) -> Selector | None:
    """A metav1.LabelSelector; None (absent) selects nothing, an empty one everything."""
    if selector is None:
        return None
    found = [Requirement(key, "In", (value,)) for key, value in (selector.match_labels or {}).items()]
    found += [compile_requirement(each) for each in selector.match_expressions or ()]
    return tuple(sorted(set(found)))


def compile_requirement(each: LabelRequirement) -> Requirement:
    return Requirement(each.key, each.operator, tuple(sorted(each.values or ())))


def compile_map(labels: Mapping[str, str]) -> Selector:
    return tuple(sorted(Requirement(key, "In", (value,)) for key, value in labels.items()))


def accepts(selector: Selector | None, labels: Mapping[str, str]) -> bool:
    if selector is None:
        return False
    return all(each.accepts(labels.get(each.key)) for each in selector)


def _compares(operator: str, have: str, want: str) -> bool:
    left, right = _integer(have), _integer(want)
    if left is None or right is None:
        return False
    return left > right if operator == "Gt" else left < right


def _integer(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > DIGITS_MAX:
        return None
    number = int(text)
    return number if -INT64_MAX - 1 <= number <= INT64_MAX else None
