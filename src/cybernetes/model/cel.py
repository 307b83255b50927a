"""Expressions in CEL with Kubernetes' functions. The only importer of the CEL library.

enters   text of an expression, names of its variables, their values as plain JSON
leaves   plain values
holds    a program is compiled once per text and set of variables
fails    CelError, with what was wrong

Quantities, addresses, URLs and versions are maps with one key that begins with "@".

source  Kubernetes documentation "Common Expression Language in Kubernetes", CEL libraries
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cel_expr_python import cel
from cel_expr_python.ext import ext_encoders, ext_math, ext_optional, ext_strings

from cybernetes.model import quantity

# Programs that are kept compiled; each is some kilobytes.
MAX_PROGRAMS = 4096
_DYN, _STRING, _BOOL, _INT, _DOUBLE, _LIST = (
    cel.Type.DYN,
    cel.Type.STRING,
    cel.Type.BOOL,
    cel.Type.INT,
    cel.Type.DOUBLE,
    cel.Type.LIST,
)
_QUANTITY, _IP, _CIDR, _URL, _SEMVER = "@quantity", "@ip", "@cidr", "@url", "@semver"
_SEMVER_SHAPE = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\Z",
)


class CelError(ValueError):
    """The expression can't be compiled, or failed on its values. whole: with the lines that point at the place."""

    def __init__(self, text: str) -> None:
        super().__init__(_short(text))
        self.whole = re.sub(r"^[A-Z_]+: ", "", text).removesuffix(" [INVALID_ARGUMENT]")


class Program:
    """A compiled expression."""

    __slots__ = ("_expression", "text")

    def __init__(self, text: str, expression: Any) -> None:
        self.text = text
        self._expression = expression

    @property
    def returns_bool(self) -> bool:
        """Whether the result can be a boolean, as far as types are known."""
        return self._expression.return_type() in (_BOOL, _DYN)

    @property
    def type_name(self) -> str:
        return str(self._expression.return_type().name()).lower()

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The plain value of the expression.

        raises  CelError
        """
        try:
            result = self._expression.eval(data=values)
        except (RuntimeError, TypeError, ValueError) as error:
            raise CelError(str(error)) from error
        if result.type() == cel.Type.ERROR:
            raise CelError(str(result))
        return result.plain_value()


def _short(text: str) -> str:
    """The library's message without its own code and pointer lines."""
    first = text.split("\n", 1)[0]
    return re.sub(r"^[A-Z_]+: ", "", first).removesuffix(" [INVALID_ARGUMENT]")


@lru_cache(maxsize=MAX_PROGRAMS)
def compiled(text: str, variables: tuple[str, ...]) -> Program:
    """The program of an expression over these variables, each of any type.

    raises  CelError when it can't be compiled
    """
    try:
        return Program(text, _environment(variables).compile(text))
    except RuntimeError as error:
        raise CelError(str(error)) from error


@cache
def _environment(variables: tuple[str, ...]) -> Any:
    extensions = [
        ext_strings.ExtStrings(),
        ext_math.ExtMath(),
        ext_encoders.ExtEncoders(),
        ext_optional.ExtOptional(),
        cel.CelExtension("kubernetes", _functions()),
    ]
    return cel.NewEnv(variables=dict.fromkeys(variables, _DYN), extensions=extensions)


def _function(name: str, *overloads: tuple[str, Any, list[Any], bool, Callable[..., Any]]) -> Any:
    made = [
        cel.Overload(f"k8s_{name}_{suffix}".replace(".", "_"), result, parameters, member, implementation)
        for suffix, result, parameters, member, implementation in overloads
    ]
    return cel.FunctionDecl(name, made)


def _functions() -> list[Any]:
    return [*_list_functions(), *_text_functions(), *_quantity_functions(), *_network_functions(), *_other_functions()]


def _list_functions() -> list[Any]:
    one = [_LIST]
    return [
        _function(
            "isSorted",
            ("list", _BOOL, one, True, lambda items: all(a <= b for a, b in itertools.pairwise(items))),
        ),
        _function("sum", ("list", _DYN, one, True, sum)),
        _function("min", ("list", _DYN, one, True, _of_some(min))),
        _function("max", ("list", _DYN, one, True, _of_some(max))),
        _function("sets.contains", ("lists", _BOOL, [_LIST, _LIST], False, lambda a, b: all(each in a for each in b))),
        _function(
            "sets.intersects", ("lists", _BOOL, [_LIST, _LIST], False, lambda a, b: any(each in a for each in b))
        ),
        _function(
            "sets.equivalent",
            ("lists", _BOOL, [_LIST, _LIST], False, lambda a, b: all(x in b for x in a) and all(x in a for x in b)),
        ),
    ]


def _of_some(choose: Callable[[Any], Any]) -> Callable[[list[Any]], Any]:
    def chosen(items: list[Any]) -> Any:
        if not items:
            raise ValueError(f"{choose.__name__} called on empty list")
        return choose(items)

    return chosen


def _text_functions() -> list[Any]:
    def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
        found = [each.group(0) for each in re.finditer(pattern, text)]
        return found if limit < 0 else found[:limit]

    def find(text: str, pattern: str) -> str:
        found = re.search(pattern, text)
        return found.group(0) if found else ""

    return [
        _function("find", ("string", _STRING, [_STRING, _STRING], True, find)),
        _function(
            "findAll",
            ("string", _LIST, [_STRING, _STRING], True, find_all),
            ("limit", _LIST, [_STRING, _STRING, _INT], True, find_all),
        ),
    ]


def _nano(value: Any) -> int:
    return quantity.nano(value[_QUANTITY])


def _quantity(text: str) -> dict[str, str]:
    return {_QUANTITY: quantity.canonical(text)}


def _is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except quantity.QuantityError:
        return False
    return True


def _sum_of(sign: int) -> Callable[[Any, Any], Any]:
    combine = quantity.add if sign > 0 else quantity.subtract

    def combined(value: Any, other: Any) -> Any:
        if isinstance(value, dict) and _QUANTITY in value:
            return {_QUANTITY: combine(value[_QUANTITY], other[_QUANTITY] if isinstance(other, dict) else str(other))}
        raise ValueError("no such overload")

    return combined


def _order(value: Any) -> Any:
    """What quantities and versions are compared by."""
    if _QUANTITY in value:
        return _nano(value)
    return _semver_order(value[_SEMVER])


def _quantity_functions() -> list[Any]:
    pair = [_DYN, _DYN]
    return [
        _function("quantity", ("string", _DYN, [_STRING], False, _quantity)),
        _function("isQuantity", ("string", _BOOL, [_STRING], False, _is_quantity)),
        _function("sign", ("quantity", _INT, [_DYN], True, lambda q: (_nano(q) > 0) - (_nano(q) < 0))),
        _function("isInteger", ("quantity", _BOOL, [_DYN], True, lambda q: _nano(q) % quantity.NANO == 0)),
        _function("asInteger", ("quantity", _INT, [_DYN], True, lambda q: _nano(q) // quantity.NANO)),
        _function("asApproximateFloat", ("quantity", _DOUBLE, [_DYN], True, lambda q: _nano(q) / quantity.NANO)),
        _function("add", ("quantity", _DYN, pair, True, _sum_of(1))),
        _function("sub", ("quantity", _DYN, pair, True, _sum_of(-1))),
        _function(
            "compareTo", ("any", _INT, pair, True, lambda a, b: (_order(a) > _order(b)) - (_order(a) < _order(b)))
        ),
        _function("isGreaterThan", ("any", _BOOL, pair, True, lambda a, b: _order(a) > _order(b))),
        _function("isLessThan", ("any", _BOOL, pair, True, lambda a, b: _order(a) < _order(b))),
    ]


def _parses(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _network(value: Any) -> Any:
    return ipaddress.ip_network(value[_CIDR], strict=False)


def _address(value: Any) -> Any:
    return ipaddress.ip_address(value[_IP] if isinstance(value, dict) else value)


def _cidr(text: str) -> dict[str, str]:
    if "/" not in text:
        raise ValueError(f"network address parse error: {text}")
    ipaddress.ip_network(text, strict=False)
    return {_CIDR: text}


def _ip(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {_IP: value[_CIDR].split("/")[0]}
    return {_IP: str(ipaddress.ip_address(value))}


def _contains(value: Any, other: Any) -> bool:
    """Of a network: an address or another network, as value or text."""
    if isinstance(other, dict) and _CIDR in other:
        return bool(_network(other).subnet_of(_network(value)))
    return _address(other) in _network(value)


def _network_functions() -> list[Any]:
    one = [_DYN]
    return [
        _function("ip", ("string", _DYN, [_STRING], False, _ip), ("cidr", _DYN, one, True, _ip)),
        _function("isIP", ("string", _BOOL, [_STRING], False, _parses(ipaddress.ip_address))),
        _function(
            "ip.isCanonical", ("string", _BOOL, [_STRING], False, lambda text: str(ipaddress.ip_address(text)) == text)
        ),
        _function("cidr", ("string", _DYN, [_STRING], False, _cidr)),
        _function("isCIDR", ("string", _BOOL, [_STRING], False, _parses(_cidr))),
        _function("family", ("ip", _INT, one, True, lambda value: _address(value).version)),
        _function("isUnspecified", ("ip", _BOOL, one, True, lambda value: _address(value).is_unspecified)),
        _function("isLoopback", ("ip", _BOOL, one, True, lambda value: _address(value).is_loopback)),
        _function("isLinkLocalMulticast", ("ip", _BOOL, one, True, lambda value: _address(value).is_multicast)),
        _function("isLinkLocalUnicast", ("ip", _BOOL, one, True, lambda value: _address(value).is_link_local)),
        _function("isGlobalUnicast", ("ip", _BOOL, one, True, lambda value: not _address(value).is_multicast)),
        _function("containsIP", ("cidr", _BOOL, [_DYN, _DYN], True, _contains)),
        _function(
            "containsCIDR",
            ("cidr", _BOOL, [_DYN, _DYN], True, lambda a, b: _contains(a, _cidr(b) if isinstance(b, str) else b)),
        ),
        _function("masked", ("cidr", _DYN, one, True, lambda value: {_CIDR: str(_network(value))})),
        _function("prefixLength", ("cidr", _INT, one, True, lambda value: _network(value).prefixlen)),
    ]


def _url(text: str) -> dict[str, str]:
    parts = urlsplit(text)
    if not (parts.scheme and parts.netloc) and not text.startswith("/"):
        raise ValueError(f"URL parse error during conversion from string: parse {text}: invalid URI for request")
    return {_URL: text}


def _semver(text: str) -> dict[str, str]:
    if _SEMVER_SHAPE.match(text) is None:
        raise ValueError(f"Invalid semantic version: {text}")
    return {_SEMVER: text}


def _semver_order(text: str) -> tuple[Any, ...]:
    found = _SEMVER_SHAPE.match(text)
    if found is None:
        raise ValueError(f"Invalid semantic version: {text}")
    parts = [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in (found[4] or "").split(".") if each]
    return int(found[1]), int(found[2]), int(found[3]), not found[4], not parts, parts


def _other_functions() -> list[Any]:
    def part(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda value: read(urlsplit(value[_URL]))

    one = [_DYN]
    return [
        _function("url", ("string", _DYN, [_STRING], False, _url)),
        _function("isURL", ("string", _BOOL, [_STRING], False, _parses(_url))),
        _function("getScheme", ("url", _STRING, one, True, part(lambda parts: parts.scheme))),
        _function("getHost", ("url", _STRING, one, True, part(lambda parts: parts.netloc.rpartition("@")[2]))),
        _function("getHostname", ("url", _STRING, one, True, part(lambda parts: parts.hostname or ""))),
        _function("getPort", ("url", _STRING, one, True, part(lambda parts: str(parts.port or "")))),
        _function("getEscapedPath", ("url", _STRING, one, True, part(lambda parts: parts.path))),
        _function("getQuery", ("url", cel.Type.MAP, one, True, part(lambda parts: parse_qs(parts.query, True)))),
        _function("semver", ("string", _DYN, [_STRING], False, _semver)),
        _function("isSemver", ("string", _BOOL, [_STRING], False, _parses(_semver))),
        _function("major", ("semver", _INT, one, True, lambda value: _semver_order(value[_SEMVER])[0])),
        _function("minor", ("semver", _INT, one, True, lambda value: _semver_order(value[_SEMVER])[1])),
        _function("patch", ("semver", _INT, one, True, lambda value: _semver_order(value[_SEMVER])[2])),
    ]
