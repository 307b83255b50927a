"""Users of client certificates, and those that a front proxy vouches for.

source  Kubernetes documentation "Authenticating": X.509 client certificates, authenticating proxy
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from cybernetes.auth.pki import subject_of
from cybernetes.auth.user import AUTHENTICATED, CREDENTIAL_ID, User
from cybernetes.base.clock import Clock
from cybernetes.base.errors import unauthorized
from cybernetes.wire.http.message import BETWEEN_HEADERS

# Certificates whose subject is remembered, some 2 kB each; a busy server sees each node's and each component's, and to
# check one's signature takes as long as many requests.
KNOWN_MAX = 16_384
_UID = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")


class Authorities(msgspec.Struct, frozen=True):
    """Whose certificates are believed.

    client       PEM of the authorities that sign clients
    front_proxy  PEM of those that sign front proxies, b"" for none; `proxy_names`: their common names, () for any
    """

    client: bytes
    front_proxy: bytes = b""
    proxy_names: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True):
    """user  None for a front proxy's certificate, which speaks for others"""

    starts: float
    ends: float
    user: User | None


class Reader:
    def __init__(self, authorities: Authorities, clock: Clock) -> None:
        self._clock = clock
        self.trust(authorities)

    def trust(self, authorities: Authorities) -> None:
        """Believe the certificates of these authorities from now on, and of no others."""
        self._clients = x509.load_pem_x509_certificates(authorities.client)
        proxies = authorities.front_proxy
        self._proxies = x509.load_pem_x509_certificates(proxies) if proxies else []
        self._proxy_names = authorities.proxy_names
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def user(self, der: bytes, headers: Mapping[str, str]) -> User | None:
        """The user of a certificate, None when it names none. Raises ApiError 401 when it is not to be believed."""
        known = self._known.get(der)
        if known is None:
            known = self._known[der] = self._read(der)
            if len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)
        if not known.starts <= self._clock.now() < known.ends:
            raise unauthorized()
        if known.user is None:
            return _vouched_for(headers)
        return known.user if known.user.name else None

    def _read(self, der: bytes) -> Known:
        certificate = x509.load_der_x509_certificate(der)
        starts = certificate.not_valid_before_utc.timestamp()
        ends = certificate.not_valid_after_utc.timestamp()
        if _issued_by(certificate, self._proxies):
            name, _ = subject_of(certificate.subject)
            if not self._proxy_names or name in self._proxy_names:
                return Known(starts, ends, None)
        if not _issued_by(certificate, self._clients) or not _is_clients(certificate):
            raise unauthorized()
        return Known(starts, ends, _user(certificate, der))


def _issued_by(certificate: x509.Certificate, authorities: list[x509.Certificate]) -> bool:
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
            return True
        except (ValueError, TypeError, InvalidSignature):
            continue
    return False


def _is_clients(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _user(certificate: x509.Certificate, der: bytes) -> User:
    name, organizations = subject_of(certificate.subject)
    groups = organizations if AUTHENTICATED in organizations else (*organizations, AUTHENTICATED)
    uids = certificate.subject.get_attributes_for_oid(_UID)
    return User(
        name,
        str(uids[0].value) if uids else "",
        groups,
        {CREDENTIAL_ID: [f"X509SHA256={hashlib.sha256(der).hexdigest()}"]},
    )


def _vouched_for(headers: Mapping[str, str]) -> User | None:
    """The user of a front proxy's headers. Only its certificate makes these headers mean anything."""
    name = headers.get("x-remote-user", "")
    if not name:
        return None
    listed = headers.get("x-remote-group", "").split(BETWEEN_HEADERS)
    groups = tuple(each.strip() for each in listed if each.strip())
    extra = {
        unquote(header.removeprefix("x-remote-extra-")): [each.strip() for each in value.split(BETWEEN_HEADERS)]
        for header, value in headers.items()
        if header.startswith("x-remote-extra-")
    }
    groups = groups if AUTHENTICATED in groups else (*groups, AUTHENTICATED)
    return User(name, headers.get("x-remote-uid", ""), groups, extra)
