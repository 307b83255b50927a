"""Numbers with units: 100m, 2, 1.5Gi, 3e6.

A value is an exact integer of nano units. The canonical text keeps the family in which it was written
(decimal, binary or exponent) and uses the largest suffix that needs no fraction.

source  k8s.io/apimachinery resource.Quantity
"""

from __future__ import annotations

import re
from functools import lru_cache

NANO = 10**9
MAXIMUM = (2**63 - 1) * NANO
# Possessive: a text of many digits must not be cut at each of them.
_SHAPE = re.compile(r"([+-]?)([0-9]*+)(?:\.([0-9]*+))?([eEinumkKMGTP]*+[-+]?[0-9]*+)\Z")
_FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_SUFFIX_WRONG = "unable to parse quantity's suffix"
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
# Python refuses to read thousands of digits.
_DIGITS_MAX = 4000
_EXPONENT = re.compile(r"[eE][-+]?[0-9]+\Z")

DECIMAL, BINARY, EXPONENT = "DecimalSI", "BinarySI", "DecimalExponent"


class QuantityError(ValueError):
    """The text is no quantity; the message has Kubernetes' words."""


def _split(text: str) -> tuple[int, str, str, str]:
    found = _SHAPE.match(text)
    if found is None or not (found[2] or found[3]):
        raise QuantityError(_FORMAT_WRONG)
    return (-1 if found[1] == "-" else 1), found[2] or "", found[3] or "", found[4]


def _suffix(text: str) -> tuple[int, int, str]:
    """(power of two, power of ten, family)."""
    if text in _DECIMAL:
        return 0, _DECIMAL[text], DECIMAL
    if text in _BINARY:
        return _BINARY[text], 0, BINARY
    if _EXPONENT.match(text) and len(text) < _DIGITS_MAX:
        return 0, int(text[1:]), EXPONENT
    raise QuantityError(_SUFFIX_WRONG)


@lru_cache(maxsize=8192)
def parse(text: str) -> tuple[int, str]:
    """(nano units, family) of a quantity; precision below nano is rounded up, away from zero.

    raises  QuantityError
    """
    sign, whole, fraction, suffix = _split(text)
    twos, tens, family = _suffix(suffix)
    if len(whole) + len(fraction) > _DIGITS_MAX:
        raise QuantityError(_FORMAT_WRONG)
    digits = int(whole + fraction or "0")
    # Exponents far outside of the range would make huge integers; what is out there is 0 or the maximum anyway.
    tens = max(-(len(whole) + 12), min(tens, 40)) - len(fraction) + 9
    magnitude = digits << twos
    nano = magnitude * 10**tens if tens >= 0 else -(-magnitude // 10**-tens)
    if family == BINARY and nano < NANO * 1024 and nano % NANO:
        family = DECIMAL
    return sign * min(nano, MAXIMUM), family


def nano(text: str | int | float) -> int:
    return parse(str(text))[0]


def value(text: str | int | float) -> int:
    """In whole units, rounded up: bytes of memory."""
    return _ceil(nano(text), NANO)


def milli(text: str | int | float) -> int:
    """In thousandths, rounded up: cpu."""
    return _ceil(nano(text), 10**6)


def _ceil(number: int, unit: int) -> int:
    """Rounded away from zero, as Kubernetes scales."""
    return -(-number // unit) if number >= 0 else number // unit


def render(nanos: int, family: str = DECIMAL) -> str:
    """The canonical text of a value."""
    if nanos == 0:
        return "0"
    sign, size = ("-", -nanos) if nanos < 0 else ("", nanos)
    if family == BINARY and size >= 1024 * NANO and size % NANO == 0:
        whole, steps = size // NANO, 0
        while whole % 1024 == 0 and steps < 6:
            whole, steps = whole // 1024, steps + 1
        return f"{sign}{whole}{('', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei')[steps]}"
    exponent = -9
    while size % 1000 == 0 and exponent < 18:
        size, exponent = size // 1000, exponent + 3
    if family == EXPONENT:
        return f"{sign}{size}e{exponent}" if exponent else f"{sign}{size}"
    return f"{sign}{size}{_DECIMAL_SUFFIX[exponent]}"


@lru_cache(maxsize=8192)
def canonical(text: str) -> str:
    """The text as the reference writes it: 1.5 -> 1500m, 1024Mi -> 1Gi, 0.5Gi -> 512Mi.

    raises  QuantityError
    """
    return render(*parse(text))


def compare(left: str, right: str) -> int:
    """-1, 0 or 1."""
    a, b = nano(left), nano(right)
    return (a > b) - (a < b)


def add(left: str, right: str) -> str:
    """The sum, in the family of the first that is not zero."""
    return _combine(left, right, 1)


def subtract(left: str, right: str) -> str:
    return _combine(left, right, -1)


def _combine(left: str, right: str, sign: int) -> str:
    (a, family), (b, other) = parse(left), parse(right)
    return render(a + sign * b, other if a == 0 else family)


@lru_cache(maxsize=4096)
def round_up_milli(text: str) -> str:
    """Without anything finer than a thousandth."""
    nanos, family = parse(text)
    return render(_ceil(nanos, 10**6) * 10**6, family)
