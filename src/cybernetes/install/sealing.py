"""Contents under a key that neither the API nor its store has, as the data of a Secret."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cybernetes.base.random import Random

KEY_BYTES = 32
_NONCE_BYTES = 12


def sealed(contents: Mapping[str, bytes], key: bytes, random: Random) -> dict[str, str]:
    """Each content is bound to its name. key: of KEY_BYTES."""
    cipher, data = AESGCM(key), {}
    for name, content in contents.items():
        nonce = random.token(_NONCE_BYTES)
        data[name] = base64.b64encode(nonce + cipher.encrypt(nonce, content, name.encode())).decode()
    return data


def opened(data: Mapping[str, str], names: Iterable[str], key: bytes) -> dict[str, bytes]:
    """Those of the names that are there. Raises ValueError for another key, or what was changed."""
    cipher, contents = AESGCM(key), {}
    for name in sorted(set(names) & set(data)):
        content = base64.b64decode(data[name])
        try:
            contents[name] = cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], name.encode())
        except InvalidTag as wrong:
            raise ValueError(f"{name} is sealed with another key") from wrong
    return contents
