"""Keys and certificates of a cluster, built purely: PEM bytes in, PEM bytes out.

All keys are on the curve P-256. The same Random gives the same keys, serial numbers and signatures.

source  Kubernetes documentation "PKI certificates and requirements"; RFC 5280
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cybernetes.base.random import Random

YEAR_S = 365 * 24 * 3600
CA_LIFETIME_S = 10 * YEAR_S
LEAF_LIFETIME_S = YEAR_S
# A certificate is valid from a little before now, so that a peer whose clock is behind takes it.
BACKDATE_S = 300
_END = b"-----END CERTIFICATE-----\n"
# The order of P-256 less one; a private key is between 1 and this.
_KEYS = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550

_EXTENDED = {
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}


class Credential(msgspec.Struct, frozen=True):
    """A certificate and the private key it speaks for, both PEM."""

    certificate: bytes
    key: bytes


class Terms(msgspec.Struct, frozen=True):
    """When and how long a certificate is valid, and the randomness of its key and number."""

    now: float
    random: Random
    lifetime_s: int = LEAF_LIFETIME_S


def new_key(random: Random) -> bytes:
    """A private key, PEM in PKCS 8: for service account tokens, or for a certificate to be requested."""
    return _key_pem(_derive(random))


def ca(common_name: str, terms: Terms) -> Credential:
    """A self-signed authority that may sign leaves."""
    key = _derive(terms.random)
    name = _name(common_name)
    builder = (
        _builder(name, key.public_key(), terms)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Credential(_signed(builder, key), _key_pem(key))


def serving(
    authority: Credential,
    common_name: str,
    terms: Terms,
    *,
    names: Sequence[str] = (),
    addresses: Sequence[str] = (),
    organizations: Sequence[str] = (),
) -> Credential:
    """A server's certificate for `names` (DNS) and `addresses`; one of both is needed."""
    key = _derive(terms.random)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH]
    builder = _leaf(authority, _name(common_name, organizations), key.public_key(), usages, terms)
    builder = builder.add_extension(_alternatives(names, addresses), critical=False)
    return Credential(_signed(builder, _load_key(authority.key)), _key_pem(key))


def cross(former: Credential, authority: Credential, terms: Terms) -> bytes:
    """The certificate (PEM) by which whoever trusts only the former authority trusts the new one as well."""
    new = x509.load_pem_x509_certificate(authority.certificate)
    old = x509.load_pem_x509_certificate(former.certificate)
    identifier = old.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(new.subject, new.public_key(), terms)
        .issuer_name(old.subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(new.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return _signed(builder, _load_key(former.key))


def client(authority: Credential, common_name: str, organizations: Sequence[str], terms: Terms) -> Credential:
    """A client's certificate: `common_name` is the user, `organizations` are the groups."""
    key = _derive(terms.random)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _leaf(authority, _name(common_name, organizations), key.public_key(), usages, terms)
    return Credential(_signed(builder, _load_key(authority.key)), _key_pem(key))


def request(
    key: bytes,
    common_name: str,
    organizations: Sequence[str] = (),
    *,
    names: Sequence[str] = (),
    addresses: Sequence[str] = (),
) -> bytes:
    """A certificate signing request, PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(common_name, organizations))
    if names or addresses:
        builder = builder.add_extension(_alternatives(names, addresses), critical=False)
    signed = builder.sign(_load_key(key), hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(serialization.Encoding.PEM)


class RequestFacts(msgspec.Struct, frozen=True):
    """What a signing request asks for; addresses, emails and uris as texts."""

    common_name: str
    organizations: tuple[str, ...]
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def read_request(pem: bytes) -> RequestFacts:
    """Raises ValueError when `pem` is no signing request or its own signature is wrong."""
    asked = x509.load_pem_x509_csr(pem)
    if not asked.is_signature_valid:
        raise ValueError("the request's signature does not fit its key")
    common_name, organizations = subject_of(asked.subject)
    try:
        alternatives = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return RequestFacts(common_name, organizations)
    return RequestFacts(
        common_name,
        organizations,
        names=tuple(alternatives.get_values_for_type(x509.DNSName)),
        addresses=tuple(str(each) for each in alternatives.get_values_for_type(x509.IPAddress)),
        emails=tuple(alternatives.get_values_for_type(x509.RFC822Name)),
        uris=tuple(alternatives.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def sign(authority: Credential, request_pem: bytes, usages: Iterable[str], terms: Terms) -> bytes:
    """The certificate (PEM) that a signing request asks for, with the usages of a CertificateSigningRequest.

    Of the request's extensions only the alternative names are taken over. The certificate never outlives
    the authority. Raises ValueError for a broken request.
    """
    read_request(request_pem)
    asked = x509.load_pem_x509_csr(request_pem)
    named = list(dict.fromkeys(usages))
    extended = [_EXTENDED[each] for each in named if each in _EXTENDED]
    public = asked.public_key()
    builder = _leaf(authority, asked.subject, public, extended, terms, encipher="key encipherment" in named)
    try:
        alternatives = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return _signed(builder, _load_key(authority.key))
    return _signed(builder.add_extension(alternatives.value, critical=False), _load_key(authority.key))


def subject_of(name: x509.Name) -> tuple[str, tuple[str, ...]]:
    """(last common name, organizations) of a subject."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return (str(common[-1].value) if common else ""), tuple(str(each.value) for each in organizations)


def is_issued_by(certificate: bytes, authority: bytes) -> bool:
    """Whether a certificate is of the (first) authority; both PEM."""
    try:
        found = x509.load_pem_x509_certificate(certificate)
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        return True
    except (ValueError, TypeError, InvalidSignature):
        return False


def bundle(pem: bytes) -> list[bytes]:
    """The single certificates (PEM) of a file with several."""
    return [each + _END for each in pem.split(_END) if each.strip()]


def names(certificate: bytes) -> tuple[str, str]:
    """(subject, issuer) of a PEM certificate, each its common name."""
    found = x509.load_pem_x509_certificate(certificate)
    return subject_of(found.subject)[0], subject_of(found.issuer)[0]


def validity(certificate: bytes) -> tuple[float, float]:
    """(from, until) when a PEM certificate is valid, in seconds since the epoch. Raises ValueError."""
    found = x509.load_pem_x509_certificate(certificate)
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


def expires_at(certificate: bytes) -> float:
    """Seconds since the epoch at which a PEM certificate ends."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc.timestamp()


def public_key(key: bytes) -> bytes:
    """The public part of a private key, PEM."""
    return (
        _load_key(key)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _name(common_name: str, organizations: Sequence[str] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _derive(random: Random) -> ec.EllipticCurvePrivateKey:
    # 16 bytes more than the curve needs, so that the remainder has no measurable bias.
    return ec.derive_private_key(int.from_bytes(random.token(48), "big") % _KEYS + 1, ec.SECP256R1())


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an elliptic curve key")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _alternatives(names: Sequence[str], addresses: Sequence[str]) -> x509.SubjectAlternativeName:
    listed: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
    listed += [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
    return x509.SubjectAlternativeName(listed)


def _builder(subject: x509.Name, public: Any, terms: Terms) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(int.from_bytes(terms.random.token(16), "big") >> 1 or 1)
        .not_valid_before(_instant(terms.now - BACKDATE_S))
        .not_valid_after(_instant(terms.now + terms.lifetime_s))
    )


def _leaf(
    authority: Credential,
    subject: x509.Name,
    public: Any,
    extended: Sequence[x509.ObjectIdentifier],
    terms: Terms,
    *,
    encipher: bool = True,
) -> x509.CertificateBuilder:
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    left_s = int(issuer.not_valid_after_utc.timestamp() - terms.now)
    terms = msgspec.structs.replace(terms, lifetime_s=min(terms.lifetime_s, left_s))
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = (
        _builder(subject, public, terms)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(encipher=encipher), critical=True)
        .add_extension(issuer_key, critical=False)
    )
    return builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False) if extended else builder


def _usage(*, signs: bool = False, encipher: bool = True) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=encipher,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(serialization.Encoding.PEM)


def _instant(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
