"""CertificateSigningRequest: who asks is the sender, what is asked can't be changed, who may say what about it.

source  Kubernetes, pkg/apis/certificates/validation: CertificateSigningRequest
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from cybernetes.base.clock import rfc3339
from cybernetes.model import field
from cybernetes.model.field import FieldError, Path
from cybernetes.model.resource import Object, WriteContext
from cybernetes.model.validation.names import dns_label, dns_subdomain

USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
LEGACY = "kubernetes.io/legacy-unknown"
EXPIRATION_MIN_S = 600
_PEM_BLOCK = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----\s", re.MULTILINE)
_PEM_HEADERS = re.compile(rb"^-----BEGIN [A-Z0-9 ]+-----\s*\n[A-Za-z-]+: ", re.MULTILINE)
_DECIDING = ("Approved", "Denied")
_LASTING = ("Approved", "Denied", "Failed")
_DOMAIN_MAX = 253


def name_requester(obj: Object, ctx: WriteContext) -> None:
    """What approvers and signers go by is never the sender's own word."""
    spec = obj.setdefault("spec", {})
    for key in ("username", "uid", "groups", "extra"):
        spec.pop(key, None)
    asked: Object = {
        "username": ctx.user,
        "uid": ctx.uid,
        "groups": list(ctx.groups),
        "extra": {key: list(values) for key, values in ctx.extra.items()},
    }
    spec.update({key: value for key, value in asked.items() if value})


def keep_certificate(obj: Object, old: Object, ctx: WriteContext) -> None:
    """Approval changes conditions only."""
    status = obj.setdefault("status", {})
    certificate = (old.get("status") or {}).get("certificate")
    if certificate:
        status["certificate"] = certificate
    else:
        status.pop("certificate", None)


def stamp_conditions(obj: Object, old: Object, ctx: WriteContext) -> None:
    now = rfc3339(ctx.now)
    before = {each.get("type"): each for each in _conditions(old)}
    for each in _conditions(obj):
        each["status"] = each.get("status") or "True"
        each["lastUpdateTime"] = each.get("lastUpdateTime") or now
        if not each.get("lastTransitionTime"):
            was = before.get(each.get("type"))
            same = was is not None and was.get("status") == each["status"]
            each["lastTransitionTime"] = was["lastTransitionTime"] if was is not None and same else now


def validate(obj: Object) -> list[FieldError]:
    spec, path = obj.get("spec") or {}, Path("spec")
    errors = list(_request_errors(spec.get("request"), path.child("request")))
    errors += _usage_errors(spec.get("usages") or [], path.child("usages"))
    signer = spec.get("signerName") or ""
    if signer == LEGACY:
        why = "the legacy signerName is not allowed via this API version"
        errors.append(field.invalid(path.child("signerName"), signer, why))
    else:
        errors += signer_name_errors(signer, path.child("signerName"))
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < EXPIRATION_MIN_S:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        errors.append(field.invalid(path.child("expirationSeconds"), seconds, why))
    return errors


def _request_errors(request: Any, path: Path) -> Iterator[FieldError]:
    from cryptography import x509

    try:
        pem = b64decode(request or "", validate=True)
    except (binascii.Error, ValueError):
        pem = b""
    if not pem.lstrip().startswith(b"-----BEGIN CERTIFICATE REQUEST-----"):
        yield field.invalid(path, request, "PEM block type must be CERTIFICATE REQUEST")
        return
    try:
        x509.load_pem_x509_csr(pem)
    except ValueError as wrong:
        yield field.invalid(path, request, str(wrong))


def _usage_errors(usages: list[str], path: Path) -> Iterator[FieldError]:
    if not usages:
        yield field.required(path)
    seen: set[str] = set()
    for i, usage in enumerate(usages):
        if usage not in USAGES:
            yield field.not_supported(path.index(i), usage or "", USAGES)
        elif usage in seen:
            yield field.duplicate(path.index(i), usage)
        seen.add(usage)


def signer_name_errors(name: str, path: Path) -> list[FieldError]:
    """A domain and a path, example.com/signer-name."""
    if not name:
        return [field.required(path)]
    parts = name.split("/")
    if len(parts) != 2:
        why = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [field.invalid(path, name, why)]
    domain, own = parts
    errors = [field.too_long(path, _DOMAIN_MAX)] if len(domain) > _DOMAIN_MAX else []
    labels = domain.split(".")
    for label in labels:
        errors += [field.invalid(path, domain, f'validating label "{label}": {why}') for why in dns_label(label)]
    if len(labels) < 2:
        errors.append(field.invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    for label in own.split("."):
        errors += [field.invalid(path, own, f'validating label "{label}": {why}') for why in dns_subdomain(label)]
    return errors


def validate_approval(obj: Object, old: Object) -> list[FieldError]:
    """Who approves says Approved or Denied, and nothing that signers say."""
    return [*_lasting_errors(obj, old, writable=_DECIDING), *_condition_errors(obj)]


def validate_status(obj: Object, old: Object) -> list[FieldError]:
    """Signers set the certificate once, or say Failed; they don't approve."""
    errors = [*_lasting_errors(obj, old, writable=("Failed",)), *_condition_errors(obj)]
    before, new = ((each.get("status") or {}).get("certificate") or "" for each in (old, obj))
    path = Path("status").child("certificate")
    if before and new != before:
        errors.append(field.forbidden(path, "updates may not modify existing certificate content"))
    wrong = _certificate_error(new) if new and new != before else ""
    if wrong:
        errors.append(field.invalid(path, "<certificate data>", wrong))
    return errors


def _certificate_error(data: str) -> str:
    """Why these are not PEM blocks of certificates; "" when they are."""
    from cryptography import x509

    try:
        text = b64decode(data, validate=True)
    except (binascii.Error, ValueError) as wrong:
        return str(wrong)
    kinds = [each.decode("ascii", "replace") for each in _PEM_BLOCK.findall(text)]
    if not kinds:
        return "must contain at least one CERTIFICATE PEM block"
    other = next((each for each in kinds if each != "CERTIFICATE"), None)
    if other is not None:
        return f'only CERTIFICATE PEM blocks are allowed, found "{other}"'
    if _PEM_HEADERS.search(text):
        return "no PEM block headers are permitted"
    try:
        x509.load_pem_x509_certificates(text)
    except ValueError as wrong:
        return str(wrong)
    return ""


def _lasting_errors(obj: Object, old: Object, writable: tuple[str, ...]) -> Iterator[FieldError]:
    path = Path("status").child("conditions")
    for kind in _LASTING:
        new, before = _of_type(obj, kind), _of_type(old, kind)
        if before and not new:
            yield field.forbidden(path, f'updates may not remove a condition of type "{kind}"')
        elif kind in writable:
            continue
        elif new and not before:
            yield field.forbidden(path, f'updates may not add a condition of type "{kind}"')
        elif new != before:
            yield field.forbidden(path, f'updates may not modify a condition of type "{kind}"')


def _condition_errors(obj: Object) -> Iterator[FieldError]:
    path = Path("status").child("conditions")
    seen: set[str] = set()
    for i, condition in enumerate(_conditions(obj)):
        kind, status = condition.get("type", ""), condition.get("status", "")
        if not kind:
            yield field.required(path.index(i).child("type"))
        if kind in _LASTING and status != "True":
            yield field.not_supported(path.index(i).child("status"), status, ("True",))
        elif status not in ("True", "False", "Unknown"):
            yield field.not_supported(path.index(i).child("status"), status, ("False", "True", "Unknown"))
        if kind in seen:
            yield field.duplicate(path.index(i).child("type"), kind)
        if kind in _DECIDING and seen.intersection(_DECIDING) - {kind}:
            why = "Approved and Denied conditions are mutually exclusive"
            yield field.invalid(path.index(i).child("type"), kind, why)
        seen.add(kind)


def _conditions(obj: Object) -> list[Object]:
    return (obj.get("status") or {}).get("conditions") or []


def _of_type(obj: Object, kind: str) -> list[Object]:
    return [each for each in _conditions(obj) if each.get("type") == kind]
