from __future__ import annotations

import pytest

from cybernetes.model import quantity


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1.5", "1500m"),
        ("0.5Gi", "512Mi"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1025Mi", "1025Mi"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("0.1n", "1n"),
        ("100", "100"),
        ("1023", "1023"),
        ("0.5Ki", "512"),
        ("0Gi", "0"),
        ("-1500m", "-1500m"),
        ("1.001Ki", "1025024m"),
        ("12E", "9223372036854775807"),
        (".5", "500m"),
        ("5.", "5"),
        ("+1", "1"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert quantity.canonical(text) == canonical


@pytest.mark.parametrize("text", ["", ".", "x", "1..2", "1 ", "1KiB", "+", "0x1", "١"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(quantity.QuantityError, match="quantities must match the regular expression"):
        quantity.parse(text)


@pytest.mark.parametrize("text", ["1e", "1k5", "1iK", "1mm"])
def test_what_is_no_suffix_is_refused(text: str) -> None:
    with pytest.raises(quantity.QuantityError, match="unable to parse quantity's suffix"):
        quantity.parse(text)


def test_values_are_rounded_up() -> None:
    assert quantity.value("1.5Gi") == 1610612736
    assert quantity.value("1m") == 1
    assert quantity.milli("0.1") == 100
    assert quantity.milli("1n") == 1
    assert quantity.value("-1500m") == -2


def test_sums_keep_the_family_of_the_first_that_is_not_zero() -> None:
    assert quantity.add("1Gi", "1Gi") == "2Gi"
    assert quantity.add("0", "1Gi") == "1Gi"
    assert quantity.add("100m", "1") == "1100m"
    assert quantity.subtract("1Gi", "1Mi") == "1023Mi"
    assert quantity.subtract("1", "1") == "0"


def test_order() -> None:
    assert quantity.compare("1Gi", "1G") == 1
    assert quantity.compare("1", "1000m") == 0
    assert quantity.compare("-1", "0") == -1


def test_a_huge_exponent_is_answered_at_once() -> None:
    assert quantity.canonical("1e999999999") == "9223372036854775807"
    assert quantity.parse("1e-999999999")[0] == 1
