"""What an API server needs to know, as values; files and flags are the composition root's."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cybernetes.auth.authn import Others
from cybernetes.auth.order import Order
from cybernetes.auth.tokens import TokenTerms
from cybernetes.auth.user import User


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """PEM bytes throughout.

    client_authorities        sign the certificates of clients
    front_proxy_authorities   sign the certificates of front proxies; b"" for none
    front_proxy_certificate, front_proxy_key  what other API servers know this one by when it passes requests on
    service_account_key       signs service account tokens; `former_keys` (public) are still believed
    kubelet_authorities       sign the serving certificates of kubelets; b"": theirs are not verified
    kubelet_certificate, kubelet_key  what kubelets know this server by
    advertise                 host:port at which clients reach it
    service_ranges, node_port_range   from which services get addresses, one range a family, and ports
    shared_store              whether other API servers write to the same store
    catches_up                whether every request waits for what they wrote, because asking the store is free
    max_requests_inflight, max_mutating_requests_inflight  together the seats that priority levels share
    former_issuers, audiences  further names in tokens that are believed; for whom tokens are, () for the issuers
    tokens                    how long tokens last that are asked for
    others, order             who else authenticates; in which order who authorizes; None for the cluster's own
    request_timeout_s         what an ordinary request may take; a client may ask for less
    fixed_tokens              SHA-256 of a token in hex -> its user; for tests, a cluster has none
    resource_metrics          whether this server tells what nodes and pods use (metrics.k8s.io)
    components                what else of the control plane runs here -> URL at which it serves its health
    own_components            whether roles are made for components that Kubernetes does not have
    """

    client_authorities: bytes
    service_account_key: bytes
    front_proxy_authorities: bytes = b""
    front_proxy_certificate: bytes = b""
    front_proxy_key: bytes = b""
    former_keys: tuple[bytes, ...] = ()
    issuer: str = "https://kubernetes.default.svc.cluster.local"
    former_issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    tokens: TokenTerms = TokenTerms()
    others: Others | None = None
    order: Order | None = None
    kubelet_authorities: bytes = b""
    kubelet_certificate: bytes = b""
    kubelet_key: bytes = b""
    advertise: str = "127.0.0.1:6443"
    service_ranges: tuple[str, ...] = ("10.96.0.0/12",)
    node_port_range: tuple[int, int] = (30000, 32767)
    shared_store: bool = False
    catches_up: bool = False
    resource_metrics: bool = False
    components: Mapping[str, str] = {}
    own_components: bool = False
    request_timeout_s: float = 60.0
    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    fixed_tokens: Mapping[str, User] = {}
