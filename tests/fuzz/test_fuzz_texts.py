"""Selectors, quantities: any text is understood, and then means what a plain reading says, or is refused."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from cybernetes.base.errors import ApiError
from cybernetes.model import quantity, selector

PARTS = [
    "a",
    "b",
    "x/y",
    " ",
    ",",
    "=",
    "==",
    "!=",
    "!",
    "in",
    "notin",
    "(",
    ")",
    "<",
    ">",
    "1",
    "-2",
    "é",
    "\\",
    "\\,",
    "",
]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=10).map("".join) | st.text(max_size=12)
LABELS = st.dictionaries(
    st.sampled_from(["a", "b", "x/y"]), st.sampled_from(["", "a", "b", "1", "5", "-9"]), max_size=3
)


@given(TEXTS, LABELS)
def test_label_selectors(text: str, labels: dict[str, str]) -> None:
    try:
        requirements = selector.parse_labels(text)
    except ApiError as error:
        assert error.code == 400
        return
    assert selector.parse_labels(selector.render(requirements)) == requirements
    assert selector.matcher(requirements)(labels) == all(_holds(each, labels) for each in requirements)


def _holds(requirement: selector.Requirement, labels: dict[str, str]) -> bool:
    """By the documentation, without shortcuts."""
    there, value = requirement.key in labels, labels.get(requirement.key, "")
    match requirement.operator:
        case "in":
            return there and value in requirement.values
        case "notin":
            return not there or value not in requirement.values
        case "exists":
            return there
        case "!":
            return not there
    number = value.lstrip("+-")
    if not there or not number.isascii() or not number.isdecimal():
        return False
    bound = int(requirement.values[0])
    return int(value) > bound if requirement.operator == ">" else int(value) < bound


@given(TEXTS, st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["", "a", "1"]), max_size=2))
def test_field_selectors(text: str, values: dict[str, str]) -> None:
    try:
        terms = selector.parse_fields(text)
    except ApiError as error:
        assert error.code == 400
        return
    wanted = all((values.get(each.field, "") == each.value) == each.equal for each in terms)
    assert selector.fields_match(terms, lambda field: values.get(field, "")) == wanted


NUMBERS = st.from_regex(r"[+-]?[0-9]{0,12}(\.[0-9]{0,12})?", fullmatch=True)
SUFFIXES = [
    "",
    "n",
    "u",
    "m",
    "k",
    "M",
    "G",
    "T",
    "P",
    "E",
    "Ki",
    "Mi",
    "Gi",
    "Ti",
    "Pi",
    "Ei",
    "e3",
    "E-2",
    "e",
    "mi",
    "K",
]
FACTORS = dict(zip("numkMGTPE", (Fraction(10) ** e for e in (-9, -6, -3, 3, 6, 9, 12, 15, 18)), strict=False))


@given(st.builds(str.__add__, NUMBERS, st.sampled_from(SUFFIXES)) | st.text("0123456789.+-eEKMGnum i", max_size=12))
def test_quantities(text: str) -> None:
    try:
        nanos = quantity.nano(text)
    except quantity.QuantityError:
        return
    canonical = quantity.canonical(text)
    assert quantity.canonical(canonical) == canonical
    assert quantity.nano(canonical) == nanos
    assert quantity.add(canonical, "0") == canonical
    assert quantity.subtract(canonical, canonical) == "0"


@given(st.integers(-(10**9), 10**9), st.integers(0, 999), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_quantities_are_exact(whole: int, fraction: int, suffix: str) -> None:
    text = f"{whole}.{fraction:03}{suffix}"
    factor = {"": Fraction(1), "m": Fraction(1, 1000), "k": Fraction(1000), "M": Fraction(10**6)}
    factor |= {"Ki": Fraction(1024), "Mi": Fraction(1024**2), "Gi": Fraction(1024**3)}
    exact = Fraction(f"{whole}.{fraction:03}") * factor[suffix]
    assert quantity.nano(text) == exact * 10**9
