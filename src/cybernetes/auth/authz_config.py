"""The AuthorizationConfiguration file: decoded strictly, checked as upstream checks it.

source  Kubernetes reference, apiserver.config.k8s.io/v1 AuthorizationConfiguration
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from cybernetes.auth.access_webhook import Terms
from cybernetes.base import duration

TYPES = ("Webhook", "Node", "RBAC", "AlwaysAllow", "AlwaysDeny")
TIMEOUT_MAX_S = 30.0
CONDITIONS_MAX = 64
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


class ConfigError(ValueError):
    """The configuration can't be used; the text names the place."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    pass


class Connection(_Part, frozen=True):
    type: str
    kube_config_file: str | None = None


class Condition(_Part, frozen=True):
    expression: str


class Webhook(_Part, frozen=True):
    timeout: str = "3s"
    subject_access_review_version: str = ""
    match_condition_subject_access_review_version: str = ""
    failure_policy: str = ""
    connection_info: Connection | None = None
    match_conditions: tuple[Condition, ...] = ()
    authorized_ttl: str = msgspec.field(default="5m", name="authorizedTTL")
    cache_authorized_requests: bool = True
    unauthorized_ttl: str = msgspec.field(default="30s", name="unauthorizedTTL")
    cache_unauthorized_requests: bool = True

    @property
    def kube_config(self) -> str:
        return (self.connection_info.kube_config_file or "") if self.connection_info is not None else ""

    def terms(self, name: str) -> Terms:
        return Terms(
            name,
            timeout_s=duration.parse(self.timeout),
            allowed_s=duration.parse(self.authorized_ttl) if self.cache_authorized_requests else 0.0,
            other_s=duration.parse(self.unauthorized_ttl) if self.cache_unauthorized_requests else 0.0,
            deny_on_failure=self.failure_policy == "Deny",
            conditions=tuple(each.expression for each in self.match_conditions),
        )


class Entry(_Part, frozen=True):
    type: str
    name: str
    webhook: Webhook | None = None


class Configuration(_Part, frozen=True):
    api_version: Literal["apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1"]
    kind: Literal["AuthorizationConfiguration"]
    authorizers: tuple[Entry, ...] = ()


def parse(text: bytes) -> Configuration:
    """Raises ConfigError."""
    try:
        found = msgspec.yaml.decode(text, type=Configuration)
    except (msgspec.MsgspecError, ValueError) as wrong:
        raise ConfigError(str(wrong)) from wrong
    wrongs = [] if found.authorizers else ["authorizers: at least one authorization mode must be defined"]
    for i, entry in enumerate(found.authorizers):
        wrongs += [f"authorizers[{i}].{each}" for each in _wrongs(entry, found.authorizers[:i])]
    if wrongs:
        raise ConfigError("; ".join(wrongs))
    return found


def _wrongs(entry: Entry, before: tuple[Entry, ...]) -> Iterator[str]:
    if entry.type not in TYPES:
        yield f'type: "{entry.type}" is not served; there are: {", ".join(TYPES)}'
    if not _NAME.match(entry.name):
        yield f'name: "{entry.name}" must be a lower case name, of parts that dots separate'
    if any(each.name == entry.name for each in before):
        yield f'name: "{entry.name}" is there twice'
    if entry.type != "Webhook":
        if any(each.type == entry.type for each in before):
            yield f'type: "{entry.type}" is there twice'
        if entry.webhook is not None:
            yield "webhook: may only be defined when type=Webhook"
    elif entry.webhook is None:
        yield "webhook: required when type=Webhook"
    else:
        yield from (f"webhook.{each}" for each in _wrong_webhook(entry.webhook))


def _wrong_webhook(hook: Webhook) -> Iterator[str]:
    for name, text, most in (
        ("timeout", hook.timeout, TIMEOUT_MAX_S),
        ("authorizedTTL", hook.authorized_ttl, float("inf")),
        ("unauthorizedTTL", hook.unauthorized_ttl, float("inf")),
    ):
        try:
            if not 0 < duration.parse(text) <= most:
                yield f"{name}: must be > 0s" + (" and <= 30s" if most == TIMEOUT_MAX_S else "")
        except ValueError as wrong:
            yield f"{name}: {wrong}"
    if hook.subject_access_review_version != "v1":
        yield f'subjectAccessReviewVersion: "{hook.subject_access_review_version}" is not served; v1 is'
    if hook.match_conditions and hook.match_condition_subject_access_review_version != "v1":
        yield "matchConditionSubjectAccessReviewVersion: must be v1 with match conditions"
    if hook.failure_policy not in ("NoOpinion", "Deny"):
        yield f'failurePolicy: "{hook.failure_policy}" must be NoOpinion or Deny'
    yield from _wrong_connection(hook.connection_info)
    if len(hook.match_conditions) > CONDITIONS_MAX:
        yield f"matchConditions: at most {CONDITIONS_MAX}"
    if not hook.match_conditions:
        return
    from cybernetes.auth import expressions

    for i, each in enumerate(hook.match_conditions):
        said = expressions.wrong(expressions.REQUEST, each.expression, "bool")
        if said:
            yield f"matchConditions[{i}].expression: {said}"


def _wrong_connection(connection: Connection | None) -> Iterator[str]:
    if connection is None:
        yield "connectionInfo: required"
    elif connection.type != "KubeConfigFile":
        yield f'connectionInfo.type: "{connection.type}" is not served; KubeConfigFile is'
    elif not (connection.kube_config_file or "").startswith("/"):
        yield "connectionInfo.kubeConfigFile: must be an absolute path"
