"""Grammars of names, keys, values, ports and addresses: each returns what is wrong as texts, [] when nothing is.

source  Kubernetes documentation "Object Names and IDs"; RFC 1035, RFC 1123
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence

from cybernetes.base.number import whole

NameRule = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HTTP_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"
_ENV_VAR = "[ -<>-~]+"


def _matcher(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z")


_label = _matcher(_LABEL)
_subdomain = _matcher(_SUBDOMAIN)
_label_1035 = _matcher(_LABEL_1035)
_qualified = _matcher(_QUALIFIED)
_label_value = _matcher(_LABEL_VALUE)
_c_identifier = _matcher(_C_IDENTIFIER)
_config_key = _matcher(_CONFIG_KEY)
_http_header = _matcher(_HTTP_HEADER)
_percent = _matcher(_PERCENT)
_env_var = _matcher(_ENV_VAR)
_wildcard = _matcher(rf"\*\.{_SUBDOMAIN}")
_port_name = _matcher("[-a-z0-9]+")


def regex_message(text: str, pattern: str, *examples: str) -> str:
    """`TEXT (e.g. 'a',  or 'b', regex used for validation is 'PATTERN')`, with the two spaces of the original."""
    listed = ",  or ".join(f"'{each}'" for each in examples)
    if not examples:
        return f"{text} (regex used for validation is '{pattern}')"
    return f"{text} (e.g. {listed}, regex used for validation is '{pattern}')"


_LABEL_MESSAGE = regex_message(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_MESSAGE = regex_message(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_LABEL_1035_MESSAGE = regex_message(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_WILDCARD_MESSAGE = regex_message(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    rf"\*\.{_SUBDOMAIN}",
    "*.example.com",
)
_QUALIFIED_MESSAGE = regex_message(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_LABEL_VALUE_MESSAGE = regex_message(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_MESSAGE = regex_message(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_C_IDENTIFIER_MESSAGE = regex_message(
    "a valid C identifier must start with alphabetic character or '_', "
    "followed by a string of alphanumeric characters or '_'",
    _C_IDENTIFIER,
    "my_name",
    "MY_NAME",
    "MyName",
)
_HTTP_HEADER_MESSAGE = regex_message(
    "a valid HTTP header must consist of alphanumeric characters or '-'", _HTTP_HEADER, "X-Header-Name"
)
_PERCENT_MESSAGE = regex_message(
    "a valid percent string must be a numeric string followed by an ending '%'", _PERCENT, "1%", "93%"
)
_ENV_VAR_MESSAGE = "a valid environment variable name must consist only of printable ASCII characters other than '='"
IP_MESSAGE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
CIDR_MESSAGE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def at_most_characters(limit: int) -> str:
    return f"must be no more than {limit} characters"


def at_most_bytes(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def between(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def dns_label(text: str) -> list[str]:
    errors = [at_most_characters(63)] if len(text.encode()) > 63 else []
    if not _label.match(text):
        # A subdomain that isn't a label has its dots only to blame.
        errors.append("must not contain dots" if _subdomain.match(text) else _LABEL_MESSAGE)
    return errors


def dns_subdomain(text: str) -> list[str]:
    errors = [at_most_characters(253)] if len(text.encode()) > 253 else []
    if not _subdomain.match(text):
        errors.append(_SUBDOMAIN_MESSAGE)
    return errors


def long_name(text: str) -> list[str]:
    """A subdomain, in the words of kinds whose rules are declared with their types."""
    errors = [at_most_bytes(253)] if len(text.encode()) > 253 else []
    if not _subdomain.match(text):
        errors.append(_SUBDOMAIN_MESSAGE)
    return errors


def dns_1035_label(text: str) -> list[str]:
    errors = [at_most_characters(63)] if len(text.encode()) > 63 else []
    if not _label_1035.match(text):
        errors.append(_LABEL_1035_MESSAGE)
    return errors


def wildcard_subdomain(text: str) -> list[str]:
    errors = [at_most_characters(253)] if len(text.encode()) > 253 else []
    if not _wildcard.match(text):
        errors.append(_WILDCARD_MESSAGE)
    return errors


def qualified_name(text: str) -> list[str]:
    """A label or annotation key: [prefix/]name."""
    prefix, slash, name = text.rpartition("/")
    errors = []
    if slash:
        if "/" in prefix:
            return [
                f"a valid label key {_QUALIFIED_MESSAGE} with an optional DNS subdomain prefix and '/' "
                "(e.g. 'example.com/MyName')"
            ]
        if not prefix:
            errors.append("prefix part must be non-empty")
        else:
            errors += [f"prefix part {each}" for each in dns_subdomain(prefix)]
    if not name:
        errors.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        errors.append(f"name part {at_most_bytes(63)}")
    if not _qualified.match(name):
        errors.append(f"name part {_QUALIFIED_MESSAGE}")
    return errors


def label_value(text: str) -> list[str]:
    errors = [at_most_bytes(63)] if len(text.encode()) > 63 else []
    if not _label_value.match(text):
        errors.append(_LABEL_VALUE_MESSAGE)
    return errors


def path_segment(text: str) -> list[str]:
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{each}'" for each in ("/", "%") if each in text]


def config_key(text: str) -> list[str]:
    errors = [at_most_characters(253)] if len(text.encode()) > 253 else []
    if not _config_key.match(text):
        errors.append(_CONFIG_KEY_MESSAGE)
    if text == ".":
        errors.append("must not be '.'")
    elif text == "..":
        errors.append("must not be '..'")
    elif text.startswith(".."):
        errors.append("must not start with '..'")
    return errors


def env_var_name(text: str) -> list[str]:
    return [] if _env_var.match(text) else [_ENV_VAR_MESSAGE]


def c_identifier(text: str) -> list[str]:
    return [] if _c_identifier.match(text) else [_C_IDENTIFIER_MESSAGE]


def http_header_name(text: str) -> list[str]:
    return [] if _http_header.match(text) else [_HTTP_HEADER_MESSAGE]


def percent(text: str) -> list[str]:
    # A share of so many digits is one of nothing.
    return [] if _percent.match(text) and whole(text[:-1]) is not None else [_PERCENT_MESSAGE]


def port_number(port: int) -> list[str]:
    return [] if 1 <= port <= 65535 else [between(1, 65535)]


def port_name(text: str) -> list[str]:
    """An IANA service name, RFC 6335 section 5.1."""
    errors = []
    if len(text) > 15:
        errors.append(at_most_characters(15))
    if not _port_name.match(text):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        errors.append("must contain at least one letter (a-z)")
    if "--" in text:
        errors.append("must not contain consecutive hyphens")
    if text and (text[0] == "-" or text[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def user_or_group_id(number: int) -> list[str]:
    return [] if 0 <= number <= 2**31 - 1 else [between(0, 2**31 - 1)]


def ip_address(text: str) -> list[str]:
    """What is wrong with an address as new fields must hold it; leading zeros and mapped addresses are told apart."""
    if parsed_ip(text) is not None:
        return []
    if _looks_like_leading_zeros(text):
        return ["must not have leading 0s"]
    return [IP_MESSAGE]


def parsed_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def _looks_like_leading_zeros(text: str) -> bool:
    numbers = [whole(each) for each in text.split(".")]
    return len(numbers) == 4 and all(each is not None and each < 256 for each in numbers)


def legacy_ip_address(text: str) -> list[str]:
    """Fields older than the strict rules also accept octets with leading zeros."""
    if parsed_ip(text) is not None or _looks_like_leading_zeros(text):
        return []
    return [IP_MESSAGE]


def cidr(text: str) -> list[str]:
    address, _, bits = text.partition("/")
    parsed, length = parsed_ip(address), whole(bits)
    if length is None:
        return [CIDR_MESSAGE]
    if parsed is None:
        return (
            ["must not have leading 0s in IP or prefix length"]
            if _looks_like_leading_zeros(address)
            else [CIDR_MESSAGE]
        )
    if length > parsed.max_prefixlen:
        return [CIDR_MESSAGE]
    if len(bits) > 1 and bits[0] == "0":
        return ["must not have leading 0s in IP or prefix length"]
    if ipaddress.ip_interface(text).network.network_address != parsed:
        return ["must not have bits set beyond the prefix length"]
    return []


def legacy_cidr(text: str) -> list[str]:
    """The older rule: bits beyond the prefix and leading zeros are accepted."""
    address, _, bits = text.partition("/")
    length = whole(bits)
    if length is None or legacy_ip_address(address):
        return [CIDR_MESSAGE]
    return [] if length <= (128 if ":" in address else 32) else [CIDR_MESSAGE]


def masked_generate_name(prefix: str) -> str:
    """A generated name may end with '-': the random suffix follows."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def first(rules: Sequence[NameRule], text: str) -> list[str]:
    """[] when any of the rules is satisfied, otherwise what the last one says."""
    found: list[str] = []
    for rule in rules:
        found = rule(text)
        if not found:
            return []
    return found
