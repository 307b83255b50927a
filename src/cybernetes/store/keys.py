"""Keys as ordered text: the end of a prefix, the folders a key lies in."""

from __future__ import annotations

_LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def prefix_end(prefix: str) -> str | None:
    """The least text above every key that begins with `prefix`; None when there is none (all keys)."""
    while prefix:
        code = ord(prefix[-1]) + 1
        if code <= _LAST:
            return prefix[:-1] + chr(_SURROGATES.stop if code in _SURROGATES else code)
        prefix = prefix[:-1]
    return None


def folders(key: str) -> list[str]:
    """`/`, `/pods/`, `/pods/shop/` for `/pods/shop/web-1`; a key that ends in a slash is its own last folder."""
    found = []
    at = key.find("/") + 1
    while at:
        found.append(key[:at])
        at = key.find("/", at) + 1
    return found


def overlap(a: str, b: str) -> bool:
    """Whether some key has both prefixes."""
    return a.startswith(b) or b.startswith(a)
