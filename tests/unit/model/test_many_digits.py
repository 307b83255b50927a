"""Numbers of thousands of digits, and digits of other scripts: refused in the same words as other wrong texts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cybernetes.base import duration
from cybernetes.base.number import whole
from cybernetes.cel.conversions import _uint
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.library.semver import semver
from cybernetes.model import cron, quantity
from cybernetes.model.quantity import QuantityError
from cybernetes.model.schema.custom import formats
from cybernetes.model.validation import names

MANY = "1" * 5000


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("007", 7), ("", None), ("-1", None), ("²", None), ("٣", None), (MANY, None)]
)
def test_a_number_is_a_few_ascii_digits(text: str, number: int | None) -> None:
    assert whole(text) == number


@pytest.mark.parametrize(
    ("check", "text", "like"),
    [
        (names.cidr, f"10.0.0.0/{MANY}", "10.0.0.0/99"),
        (names.cidr, f"fd00::/{MANY}", "fd00::/999"),
        (names.cidr, "10.0.0.0/²", "10.0.0.0/x"),
        (names.legacy_cidr, f"10.0.0.0/{MANY}", "10.0.0.0/99"),
        (names.ip_address, f"{MANY}.0.0.1", "300.0.0.1"),
        (names.percent, f"{MANY}%", "x%"),
    ],
)
def test_fields_are_refused_as_others_are(check: Callable[[str], list[str]], text: str, like: str) -> None:
    assert check(text) == check(like) != []


@pytest.mark.parametrize("text", [MANY, f"0.{MANY}", f"1e{MANY}"])
def test_quantities(text: str) -> None:
    with pytest.raises(QuantityError):
        quantity.parse(text)


@pytest.mark.parametrize("text", [f"{MANY} * * * *", f"*/{MANY} * * * *", f"@every {MANY}h"])
def test_schedules(text: str) -> None:
    with pytest.raises(ValueError, match=r"out of range|invalid duration"):
        cron.parse(text)


def test_durations_are_of_64_bits_of_nanoseconds() -> None:
    assert duration.parse("2562047h") == 2562047 * 3600
    with pytest.raises(ValueError, match="invalid duration"):
        duration.parse("2562048h")


def test_expressions() -> None:
    assert _uint("00018446744073709551615") == 2**64 - 1
    for text in (MANY, "18446744073709551616", "²", ""):
        with pytest.raises(EvaluationError):
            _uint(text)
    for version in (f"{MANY}.0.0", f"1.0.0-{MANY}", "18446744073709551616.0.0"):
        with pytest.raises(EvaluationError):
            semver(version)


@pytest.mark.parametrize("end", ["", "x", ".", "ks"])
def test_the_time_that_reading_takes_grows_with_the_text_alone(end: str) -> None:
    """Where each digit is tried as an end, these take hours."""
    for text in ("1" * 300_000 + end, "0." + "1" * 300_000 + end, "1." * 100_000 + end):
        with pytest.raises(QuantityError):
            quantity.parse(text)
        with pytest.raises(ValueError, match="invalid duration"):
            duration.parse(text)


def test_a_format_of_custom_resources_takes_no_longer() -> None:
    assert (
        formats.FORMATS["duration"]("1h2m3.5s")
        and formats.FORMATS["duration"](".5s")
        and formats.FORMATS["duration"]("3 days")
    )
    for text in ("1" * 1_000_000, "1s" * 100_000 + "x", "1." * 300_000):
        assert not formats.FORMATS["duration"](text)
