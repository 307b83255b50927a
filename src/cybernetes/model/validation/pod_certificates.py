"""ClusterTrustBundle and PodCertificateRequest: whose authorities, and for which key of which pod.

source  Kubernetes, pkg/apis/certificates/validation: PodCertificateRequest
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any

from cybernetes.base.clock import parse_rfc3339
from cybernetes.model.field import FieldError, Path, invalid, not_supported, required, too_long
from cybernetes.model.resource import Object, WriteContext
from cybernetes.model.validation.names import dns_subdomain
from cybernetes.model.validation.signing_requests import signer_name_errors

BUNDLE_MAX_BYTES = 1 << 20
STUB_MAX_BYTES = 10 * 1024
CHAIN_MAX_BYTES = 25 * 1024
UID_MAX = 128
DEFAULT_S, LEAST_S, MOST_S = 86400, 3600, 7862400
REFRESH_MARGIN_S = 600
_OMITTED = "<value omitted>"
_SPEC, _STATUS, _NAME = Path("spec"), Path("status"), Path("metadata.name")
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n(.*?)-----END \1-----\n?", re.DOTALL)
_TYPES = ("Issued", "Denied", "Failed")


def validate_bundle(obj: Object) -> list[FieldError]:
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name", "")
    signer, errors = spec.get("signerName", ""), []
    if signer:
        errors += signer_name_errors(signer, _SPEC.child("signerName"))
        prefix = signer.replace("/", ":") + ":"
        if not name.startswith(prefix):
            text = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
            errors.append(invalid(_NAME, name, text))
        else:
            errors += [invalid(_NAME, name, each) for each in dns_subdomain(name.removeprefix(prefix))]
    elif ":" in name:
        errors.append(invalid(_NAME, name, 'ClusterTrustBundle without signer name must not have ":" in its name'))
    else:
        errors += [invalid(_NAME, name, each) for each in dns_subdomain(name)]
    return errors + _anchors(spec.get("trustBundle", ""), _SPEC.child("trustBundle"))


def validate_bundle_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_bundle(new)
    was, signer = (old.get("spec") or {}).get("signerName"), (new.get("spec") or {}).get("signerName")
    if was != signer:
        errors.append(invalid(_SPEC.child("signerName"), signer, "field is immutable"))
    return errors


def _anchors(pem: str, path: Path) -> list[FieldError]:
    if len(pem.encode()) > BUNDLE_MAX_BYTES:
        return [too_long(path, BUNDLE_MAX_BYTES)]
    seen: dict[bytes, int] = {}
    errors = []
    for i, block in enumerate(_BLOCK.finditer(pem)):
        kind, body = block[1], block[2]
        if kind != "CERTIFICATE":
            errors.append(invalid(path, _OMITTED, f"entry {i} has bad block type: {kind}"))
        elif ":" in body:
            errors.append(invalid(path, _OMITTED, f"entry {i} has PEM block headers"))
        else:
            errors += _anchor(body, i, seen, path)
    if not seen and not errors:
        errors.append(invalid(path, _OMITTED, "at least one trust anchor must be provided"))
    return errors


def _anchor(body: str, i: int, seen: dict[bytes, int], path: Path) -> list[FieldError]:
    from cryptography import x509

    try:
        der = b64decode(body)
        x509.load_der_x509_certificate(der)
    except ValueError as wrong:
        return [invalid(path, _OMITTED, f"entry {i} does not parse as X.509: {wrong}")]
    first = seen.setdefault(der, i)
    if first != i:
        return [invalid(path, _OMITTED, f"duplicate trust anchor (indices {first} and {i})")]
    return []


def fill_request(obj: Object, ctx: WriteContext) -> None:
    obj.setdefault("spec", {}).setdefault("maxExpirationSeconds", DEFAULT_S)


def validate_request(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = signer_name_errors(spec.get("signerName", ""), _SPEC.child("signerName"))
    for what in ("pod", "serviceAccount", "node"):
        name, uid = spec.get(f"{what}Name", ""), spec.get(f"{what}UID", "")
        errors += [invalid(_SPEC.child(f"{what}Name"), name, each) for each in dns_subdomain(name)]
        if not uid:
            errors.append(invalid(_SPEC.child(f"{what}UID"), uid, "must not be empty"))
        elif len(uid.encode()) > UID_MAX:
            errors.append(too_long(_SPEC.child(f"{what}UID"), UID_MAX))
    seconds, at = spec.get("maxExpirationSeconds"), _SPEC.child("maxExpirationSeconds")
    if seconds is None:
        errors.append(required(at, "must be set"))
    elif not LEAST_S <= seconds <= MOST_S:
        errors.append(invalid(at, seconds, f"must be in the range [{LEAST_S}, {MOST_S}]"))
    return errors + _stub(spec.get("stubPKCS10Request") or "", _SPEC.child("stubPKCS10Request"))


def _stub(text: str, path: Path) -> list[FieldError]:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    data = b64decode(text)
    if len(data) > STUB_MAX_BYTES:
        return [too_long(path, STUB_MAX_BYTES)]
    try:
        found = x509.load_der_x509_csr(data)
        said = _wrong_key(found.public_key())
        if not said and not found.is_signature_valid:
            said = "invalid signature"
    except (ValueError, UnsupportedAlgorithm):
        said = "must be a valid PKCS#10 CSR"
    return [invalid(path, _OMITTED, said)] if said else []


def _wrong_key(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case ed25519.Ed25519PublicKey():
            return ""
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1() | ec.SECP384R1() | ec.SECP521R1()):
            return ""
        case ec.EllipticCurvePublicKey():
            return "elliptic public keys must use curve P256, P384, or P521"
        case rsa.RSAPublicKey(key_size=3072 | 4096):
            return ""
        case rsa.RSAPublicKey():
            return "RSA keys must have modulus size 3072 or 4096"
    return "unknown public key type; supported types are Ed25519, ECDSA, and RSA"


def validate_request_update(new: Object, old: Object) -> list[FieldError]:
    return [] if new.get("spec") == old.get("spec") else [invalid(_SPEC, new.get("spec"), "field is immutable")]


def validate_request_status(new: Object, old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    conditions = status.get("conditions") or []
    errors, decided = [], 0
    for i, each in enumerate(conditions):
        at = _STATUS.child("conditions").index(i)
        if each.get("type") not in _TYPES:
            errors.append(not_supported(at.child("type"), each.get("type", ""), _TYPES))
            continue
        decided += 1
        if each.get("status") != "True":
            errors.append(not_supported(at.child("status"), each.get("status", ""), ("True",)))
        if decided > 1:
            text = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            errors.append(invalid(at.child("type"), each["type"], text))
    if any(each.get("type") == "Issued" for each in conditions) or status.get("certificateChain"):
        errors += _issued(new, status)
    return errors


def _issued(obj: Object, status: Object) -> list[FieldError]:
    from cryptography import x509

    path, chain = _STATUS.child("certificateChain"), status.get("certificateChain", "")
    if len(chain.encode()) > CHAIN_MAX_BYTES:
        return [too_long(path, CHAIN_MAX_BYTES)]
    blocks = list(_BLOCK.finditer(chain))
    if not blocks:
        return [invalid(path, _OMITTED, "issued certificate chain must contain at least one certificate")]
    if any(each[1] != "CERTIFICATE" for each in blocks):
        return [invalid(path, _OMITTED, "issued certificate chain must consist entirely of CERTIFICATE PEM blocks")]
    try:
        leaf = x509.load_der_x509_certificate(b64decode(blocks[0][2]))
        asked = x509.load_der_x509_csr(b64decode(obj["spec"].get("stubPKCS10Request", "")))
    except ValueError:
        return [invalid(path, _OMITTED, "leaf certificate does not parse as valid X.509")]
    if leaf.public_key() != asked.public_key():
        return [invalid(path, _OMITTED, "leaf certificate was not issued to the requested public key")]
    starts, ends = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    return _times(status, starts, ends)


def _times(status: Object, starts: float, ends: float) -> list[FieldError]:
    errors = []
    for name, at, word in (("notBefore", starts, "NotBefore"), ("notAfter", ends, "NotAfter")):
        path = _STATUS.child(name)
        if not status.get(name):
            errors.append(required(path, "must be present and consistent with the issued certificate"))
        elif parse_rfc3339(status[name]) != at:
            text = f"must be set to the {word} time encoded in the leaf certificate"
            errors.append(invalid(path, status[name], text))
    refresh, path = status.get("beginRefreshAt"), _STATUS.child("beginRefreshAt")
    least, most = starts + REFRESH_MARGIN_S, ends - REFRESH_MARGIN_S
    if not refresh or not least <= parse_rfc3339(refresh) <= most:
        errors.append(required(path, "must be present and in the range [notbefore+10min, notafter-10min]"))
    if ends - starts < LEAST_S:
        chain = _STATUS.child("certificateChain")
        errors.append(invalid(chain, _OMITTED, "leaf certificate lifetime must be >= 1 hour"))
    return errors
