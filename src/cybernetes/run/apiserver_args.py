"""Flags of the API server, under the names that kube-apiserver gives them.

In the configuration file they stand below `apiServer.extraArgs`; `up --apiserver-arg NAME=VALUE` writes them there,
and `cybernetes apiserver --NAME VALUE` goes before both.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from cybernetes.base.duration import parse as parse_duration


class ApiServerArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="kebab"):
    """Durations are texts such as `2m30s`; lists take several values, separated by commas on a command line.

    audit_policy_file  None: audit-policy.yaml of the data directory; "": nothing is audited
    audit_log_path     None: logs/audit.log of the data directory; "": no file; "-": standard output
    encryption_provider_config  "": Secrets are encrypted with the data directory's own key
    authentication_config, authorization_config  "": certificates and tokens of the cluster; Node, then RBAC
    """

    audit_policy_file: str | None = None
    audit_log_path: str | None = None
    audit_log_maxage: int = 30
    audit_log_maxbackup: int = 10
    audit_log_maxsize: int = 100
    audit_log_compress: bool = False
    audit_webhook_config_file: str = ""
    audit_webhook_batch_buffer_size: int = 10_000
    audit_webhook_batch_max_size: int = 400
    audit_webhook_batch_max_wait: str = "30s"
    audit_webhook_initial_backoff: str = "10s"
    encryption_provider_config: str = ""
    encryption_provider_config_automatic_reload: bool = True

    def __post_init__(self) -> None:
        for name in _DURATIONS:
            parse_duration(getattr(self, name))


_DURATIONS = ("audit_webhook_batch_max_wait", "audit_webhook_initial_backoff")


def names() -> Mapping[str, Any]:
    """Every flag and the type of its value."""
    hints = typing.get_type_hints(ApiServerArgs)
    return {each.encode_name: hints[each.name] for each in msgspec.structs.fields(ApiServerArgs)}


def changed(args: ApiServerArgs, texts: Mapping[str, str]) -> ApiServerArgs:
    """With flags from a command line. Raises ValueError that names the flag."""
    known = names()
    values: dict[str, Any] = msgspec.to_builtins(args)
    for name, text in texts.items():
        if name not in known:
            raise ValueError(
                f"the API server has no flag --{name}; there are: {', '.join(f'--{each}' for each in known)}"
            )
        values[name] = text.split(",") if _is_list(known[name]) else text
    try:
        return msgspec.convert(values, ApiServerArgs, strict=False)
    except msgspec.ValidationError as wrong:
        raise ValueError(str(wrong)) from wrong


def _is_list(hint: Any) -> bool:
    return typing.get_origin(hint) is tuple
