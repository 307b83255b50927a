"""Why a server gave no answer, in the words that users of Kubernetes know from Go. Pure."""

from __future__ import annotations

import os
import ssl

import aiohttp

UNKNOWN_AUTHORITY = "certificate signed by unknown authority"
# Codes of X509_verify_cert: what OpenSSL calls them differs from version to version.
_CERTIFICATES = {
    9: "certificate has expired or is not yet valid",
    10: "certificate has expired or is not yet valid",
    18: UNKNOWN_AUTHORITY,
    19: UNKNOWN_AUTHORITY,
    20: UNKNOWN_AUTHORITY,
    21: UNKNOWN_AUTHORITY,
}


class TooLarge(Exception):
    """The answer is larger than the reader takes."""


def why(broken: Exception, server: str) -> str:
    """server: "host:port" as it was dialled."""
    match broken:
        case TooLarge():
            return str(broken)
        case aiohttp.ClientConnectorCertificateError():
            return f"tls: failed to verify certificate: x509: {_certificate(broken.certificate_error)}"
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {server.rpartition(':')[0]}: no such host"
        case aiohttp.ConnectionTimeoutError():
            return f"dial tcp {server}: i/o timeout"
        case aiohttp.ClientConnectorSSLError():
            return f"tls: {broken.os_error.strerror or type(broken.os_error).__name__}"
        case aiohttp.ClientConnectorError():
            return f"dial tcp {server}: connect: {_system(broken.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case aiohttp.ClientPayloadError():
            return "unexpected EOF"
        case aiohttp.ClientResponseError():
            return f"net/http: HTTP/1.x transport connection broken: malformed HTTP response: {broken.message}"
        case aiohttp.ClientOSError() | OSError():
            return f"read tcp {server}: {_system(broken)}"
    return str(broken) or type(broken).__name__


def _certificate(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(error.verify_code, error.verify_message)
    return str(error)


def _system(error: OSError) -> str:
    """The system's words for an error number, as Go writes them."""
    return os.strerror(error.errno).lower() if error.errno else str(error) or type(error).__name__
