"""Flags of the API server, under the names that kube-apiserver gives them.

In the configuration file they stand below `apiServer.extraArgs`; `up --apiserver-arg NAME=VALUE` writes them there,
and `cybernetes apiserver --NAME VALUE` goes before both.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from cybernetes.base.duration import parse as parse_duration


class ApiServerArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="kebab"):
    """Durations are texts such as `2m30s`; lists take several values, separated by commas on a command line.

    audit_policy_file  None: audit-policy.yaml of the data directory; "": nothing is audited
    audit_log_path     None: logs/audit/audit.log of the data directory; "": no file; "-": standard output
    encryption_provider_config  "": Secrets are encrypted with the data directory's own key
    authentication_config, authorization_config  "": certificates and tokens of the cluster; Node, then RBAC
    anonymous_auth     whether who is not known may ask for /healthz, /livez and /readyz
    service_account_issuer, service_account_key_file  the first issues and signs; the others are read
    service_account_signing_key_file  "": the data directory's key
    tracing_config_file  "": nobody is told where the time of requests goes
    shutdown_delay_duration  for how long requests are taken after /readyz began to fail
    """

    audit_policy_file: str | None = None
    audit_log_path: str | None = None
    audit_log_maxage: int = 30
    audit_log_maxbackup: int = 10
    audit_log_maxsize: int = 100
    audit_log_compress: bool = False
    audit_log_truncate_enabled: bool = False
    audit_log_truncate_max_event_size: int = 100 << 10
    audit_log_truncate_max_batch_size: int = 10 << 20
    audit_webhook_config_file: str = ""
    audit_webhook_batch_buffer_size: int = 10_000
    audit_webhook_batch_max_size: int = 400
    audit_webhook_batch_max_wait: str = "30s"
    audit_webhook_batch_throttle_enable: bool = True
    audit_webhook_batch_throttle_qps: float = 10.0
    audit_webhook_batch_throttle_burst: int = 15
    audit_webhook_initial_backoff: str = "10s"
    audit_webhook_truncate_enabled: bool = False
    audit_webhook_truncate_max_event_size: int = 100 << 10
    audit_webhook_truncate_max_batch_size: int = 10 << 20
    encryption_provider_config: str = ""
    encryption_provider_config_automatic_reload: bool = True
    anonymous_auth: bool = True
    authentication_config: str = ""
    authentication_token_webhook_config_file: str = ""
    authentication_token_webhook_cache_ttl: str = "2m"
    oidc_issuer_url: str = ""
    oidc_client_id: str = ""
    oidc_username_claim: str = "sub"
    oidc_username_prefix: str = ""
    oidc_groups_claim: str = ""
    oidc_groups_prefix: str = ""
    oidc_required_claim: tuple[str, ...] = ()
    oidc_signing_algs: tuple[str, ...] = ("RS256",)
    oidc_ca_file: str = ""
    service_account_issuer: tuple[str, ...] = ()
    service_account_key_file: tuple[str, ...] = ()
    service_account_signing_key_file: str = ""
    service_account_extend_token_expiration: bool = False
    service_account_max_token_expiration: str = "24h"
    api_audiences: tuple[str, ...] = ()
    authorization_config: str = ""
    authorization_mode: tuple[str, ...] = ("Node", "RBAC")
    authorization_webhook_config_file: str = ""
    authorization_webhook_cache_authorized_ttl: str = "5m"
    authorization_webhook_cache_unauthorized_ttl: str = "30s"
    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    request_timeout: str = "1m"
    shutdown_delay_duration: str = "0s"
    tracing_config_file: str = ""

    def __post_init__(self) -> None:
        for name in _DURATIONS:
            try:
                parse_duration(getattr(self, name))
            except ValueError as wrong:
                raise ValueError(f"{name.replace('_', '-')}: {wrong}") from wrong
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name.replace('_', '-')} must be greater than 0")


_DURATIONS = (
    "audit_webhook_batch_max_wait",
    "audit_webhook_initial_backoff",
    "authentication_token_webhook_cache_ttl",
    "service_account_max_token_expiration",
    "authorization_webhook_cache_authorized_ttl",
    "authorization_webhook_cache_unauthorized_ttl",
    "request_timeout",
    "shutdown_delay_duration",
)


_POSITIVE = (
    "audit_log_truncate_max_event_size",
    "audit_log_truncate_max_batch_size",
    "audit_webhook_batch_throttle_qps",
    "audit_webhook_batch_throttle_burst",
    "audit_webhook_truncate_max_event_size",
    "audit_webhook_truncate_max_batch_size",
)


def names() -> Mapping[str, Any]:
    """Every flag and the type of its value."""
    hints = typing.get_type_hints(ApiServerArgs)
    return {each.encode_name: hints[each.name] for each in msgspec.structs.fields(ApiServerArgs)}


def presets() -> dict[str, str]:
    """What each flag is when nobody gives it, for people."""
    return {name: _typed(value) for name, value in msgspec.to_builtins(ApiServerArgs()).items()}


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "in the data directory"
    return (",".join(value) if isinstance(value, (list, tuple)) else str(value)) or "none"


def changed(args: ApiServerArgs, texts: Mapping[str, str]) -> ApiServerArgs:
    """With flags from a command line. Raises ValueError that names the flag."""
    known = names()
    values: dict[str, Any] = msgspec.to_builtins(args)
    for name, text in texts.items():
        if name not in known:
            near = " or ".join(f"--{each}" for each in difflib.get_close_matches(name, known, 3))
            hint = f"did you mean {near}?" if near else "`cybernetes apiserver --help` lists them"
            raise ValueError(f"the API server has no flag --{name}; {hint}")
        values[name] = text.split(",") if _is_list(known[name]) else text
    try:
        return msgspec.convert(values, ApiServerArgs, strict=False)
    except msgspec.ValidationError as wrong:
        message, _, place = str(wrong).partition(" - at `$.")
        name = place.rstrip("`").partition("[")[0]
        raise ValueError(
            f"--{name}={texts[name]}: {message.partition(', got')[0]}" if name in texts else message
        ) from wrong


def _is_list(hint: Any) -> bool:
    return typing.get_origin(hint) is tuple
