"""Acting as another user: what the Impersonate headers ask for, and whether the sender may.

Each part (user, uid, every group, every extra value) needs the verb `impersonate`; or, constrained, a verb for the
kind of user together with the right to do this very action as such a user.

source  Kubernetes documentation "Authenticating", User impersonation; KEP-5284
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import msgspec

from cybernetes.auth.authz import Attributes, Authorizer, Decision, refusal
from cybernetes.auth.user import (
    ANONYMOUS,
    AUTHENTICATED,
    MASTERS,
    NODE_NAME,
    NODE_PREFIX,
    NODES,
    UNAUTHENTICATED,
    User,
    service_account_groups,
    split_service_account,
)
from cybernetes.base.errors import bad_request
from cybernetes.model.field import quoted
from cybernetes.wire.http.message import BETWEEN_HEADERS

_AUTHENTICATION = "authentication.k8s.io"
_EXTRA = "impersonate-extra-"


class Wanted(msgspec.Struct, frozen=True):
    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, list[str]] = {}


def wanted(headers: Mapping[str, str]) -> Wanted | None:
    """Whom the headers ask to be; None without such headers. Raises ApiError 400 when a user's name is missing."""
    if not [name for name in headers if name.startswith("impersonate-")]:
        return None
    name = headers.get("impersonate-user", "")
    uid = headers.get("impersonate-uid", "")
    groups = _listed(headers.get("impersonate-group", ""))
    extra = {
        unquote(header.removeprefix(_EXTRA)): list(_listed(value))
        for header, value in headers.items()
        if header.startswith(_EXTRA)
    }
    if name:
        return Wanted(name, uid, groups, extra)
    if uid or groups or extra:
        raise bad_request(f"requested {_go_value(uid, groups, extra)} without impersonating a user name")
    return None


def impersonate(user: User, asked: Wanted, authorizer: Authorizer, action: Attributes) -> User:
    """The user as whom `action` goes on. Raises ApiError 403.

    action  what the request does, by `user`
    """
    refused = _refused(user, asked, authorizer, "impersonate")
    if refused is None or _constrained(user, asked, authorizer, action):
        return _become(asked)
    raise refusal(*refused)


def _refused(user: User, asked: Wanted, authorizer: Authorizer, verb: str) -> tuple[Attributes, Decision] | None:
    for attributes in _parts(user, asked, verb):
        decision = authorizer.decide(attributes)
        if not decision.allowed:
            return attributes, decision
    return None


def _parts(user: User, asked: Wanted, verb: str) -> Iterator[Attributes]:
    account = split_service_account(asked.name)
    if account:
        yield Attributes(user, verb, "", "v1", "serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes(user, verb, "", "v1", "users", name=asked.name)
    if asked.uid:
        yield Attributes(user, verb, _AUTHENTICATION, "v1", "uids", name=asked.uid)
    for group in asked.groups:
        yield Attributes(user, verb, "", "v1", "groups", name=group)
    for key, values in asked.extra.items():
        for value in values:
            yield Attributes(user, verb, _AUTHENTICATION, "v1", "userextras", key, name=value)


def _constrained(user: User, asked: Wanted, authorizer: Authorizer, action: Attributes) -> bool:
    """Whether the sender may be this kind of user, and may do the action as such a one."""
    if MASTERS in asked.groups or "" in asked.groups or not all(key.islower() for key in asked.extra):
        return False
    for mode, parts in _modes(user, asked):
        may_act = msgspec.structs.replace(action, user=user, verb=f"impersonate-on:{mode}:{action.verb}")
        if authorizer.decide(may_act).allowed and all(authorizer.decide(each).allowed for each in parts):
            return True
    return False


def _modes(user: User, asked: Wanted) -> Iterator[tuple[str, list[Attributes]]]:
    """(mode, what must be allowed) for each way in which this user may be impersonated."""
    account = split_service_account(asked.name)
    if account:
        if set(asked.groups) <= {*service_account_groups(account[0]), AUTHENTICATED}:
            parts = list(_parts(user, msgspec.structs.replace(asked, groups=()), "impersonate:serviceaccount"))
            parts = [_in_authentication(each) for each in parts]
            yield "serviceaccount", parts
        return
    if asked.name.startswith(NODE_PREFIX):
        if not set(asked.groups) <= {NODES, AUTHENTICATED} or asked.extra or asked.uid:
            return
        node = asked.name.removeprefix(NODE_PREFIX)
        for mode in ("associated-node", "arbitrary-node"):
            if mode == "associated-node" and user.extra.get(NODE_NAME) != [node]:
                continue
            name = "*" if mode == "associated-node" else node
            yield mode, [Attributes(user, f"impersonate:{mode}", _AUTHENTICATION, "v1", "nodes", name=name)]
        return
    yield "user-info", [_in_authentication(each) for each in _parts(user, asked, "impersonate:user-info")]


def _in_authentication(attributes: Attributes) -> Attributes:
    return msgspec.structs.replace(attributes, group=_AUTHENTICATION)


def _become(asked: Wanted) -> User:
    groups = asked.groups
    account = split_service_account(asked.name)
    if account and not groups:
        groups = service_account_groups(account[0])
    everyone = UNAUTHENTICATED if asked.name == ANONYMOUS else AUTHENTICATED
    if everyone not in groups and not (everyone == AUTHENTICATED and UNAUTHENTICATED in groups):
        groups = (*groups, everyone)
    return User(asked.name, asked.uid, groups, asked.extra)


def _listed(joined: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in joined.split(BETWEEN_HEADERS) if each.strip())


def _go_value(uid: str, groups: tuple[str, ...], extra: Mapping[str, list[str]]) -> str:
    listed = "[]string{" + ", ".join(map(quoted, groups)) + "}" if groups else "[]string(nil)"
    pairs = ", ".join(
        f"{quoted(key)}:[]string{{{', '.join(map(quoted, values))}}}" for key, values in sorted(extra.items())
    )
    mapped = f"map[string][]string{{{pairs}}}" if extra else "map[string][]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:{quoted(uid)}, Groups:{listed}, Extra:{mapped}}}'
