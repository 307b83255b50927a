"""TLS contexts of servers and clients, from PEM bytes or files; TLS 1.2 and newer."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from cybernetes.base.errors import EdgeError, Outcome, Retry

# Of TLS 1.2, where what is agreed on is kept from who records it now and finds a key later; TLS 1.3 has no weak ones.
STRONG = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(certificate: Path, key: Path, client_authorities: bytes = b"") -> ssl.SSLContext:
    """A server's context. With `client_authorities` (PEM) clients may show a certificate; it must then verify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(STRONG)
    context.load_cert_chain(certificate, key)
    # HTTP/1.1 only: clients that offer h2 as well fall back by ALPN.
    context.set_alpn_protocols(["http/1.1"])
    if client_authorities:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=client_authorities.decode())
    return context


def client_context(
    authorities: bytes = b"", certificate: bytes = b"", key: bytes = b"", *, verify: bool = True
) -> ssl.SSLContext:
    """A client's context from PEM bytes; without `authorities` the system's are trusted.

    raises  EdgeError for authorities that are none: many of them are written by users
    """
    try:
        context = ssl.create_default_context(cadata=authorities.decode() or None)
    except (ssl.SSLError, ValueError) as wrong:
        why = "unable to load root certificates: unable to parse bytes as PEM block"
        raise EdgeError("read", "authorities", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER) from wrong
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        _load_chain(context, certificate, key)
    return context


def _load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # The ssl module reads files only; a memory file keeps the key off every disk.
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, certificate.rstrip() + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
