import pytest
from fake_lister import ALICE, FakeLister, binding, role, rule, user_subject

from cybernetes.auth.authz import Attributes
from cybernetes.auth.impersonation import impersonate, wanted
from cybernetes.auth.rbac import Rbac
from cybernetes.base.errors import ApiError

ACTION = Attributes(ALICE, "list", resource="pods")


def allowing(*rules):
    return Rbac(FakeLister(role("r", *rules), binding("b", "r", user_subject("alice"))))


def become(authorizer, **headers):
    asked = wanted({name.replace("_", "-"): value for name, value in headers.items()})
    return impersonate(ALICE, asked, authorizer, ACTION)


def test_without_headers_nobody_is_impersonated():
    assert wanted({"accept": "*/*"}) is None


def test_a_group_without_a_user_is_a_bad_request():
    with pytest.raises(ApiError) as refused:
        wanted({"impersonate-group": "dev"})
    assert refused.value.code == 400
    assert refused.value.message == (
        'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"dev"}, '
        "Extra:map[string][]string(nil)} without impersonating a user name"
    )


def test_who_may_impersonate_becomes_the_user_with_the_common_group():
    user = become(allowing(rule("impersonate", "users")), impersonate_user="bob")
    assert (user.name, user.groups) == ("bob", ("system:authenticated",))


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"impersonate_user": "bob"}, 'users "bob" is forbidden: User "alice" cannot impersonate resource "users" '),
        ({"impersonate_user": "bob", "impersonate_group": "system:masters"}, 'groups "system:masters" is forbidden'),
        ({"impersonate_user": "bob", "impersonate_uid": "1"}, 'uids.authentication.k8s.io "1" is forbidden'),
        ({"impersonate_user": "bob", "impersonate_extra_scopes": "x"}, 'userextras.authentication.k8s.io "x" is'),
        ({"impersonate_user": "system:serviceaccount:shop:bot"}, 'serviceaccounts "bot" is forbidden'),
    ],
)
def test_every_part_needs_its_own_permission(headers, what):
    rules = [] if what.startswith(("users ", "serviceaccounts ")) else [rule("impersonate", "users")]
    with pytest.raises(ApiError) as refused:
        become(allowing(*rules), **headers)
    assert refused.value.code == 403
    assert refused.value.message.startswith(what)


def test_a_name_may_have_commas():
    asked = wanted({"impersonate-user": "bob", "impersonate-group": "cn=a,ou=b, dev", "impersonate-extra-x": "1,2, 3"})
    assert (asked.groups, asked.extra) == (("cn=a,ou=b", "dev"), {"x": ["1,2", "3"]})


def test_a_service_account_brings_its_groups():
    user = become(allowing(rule("impersonate", "serviceaccounts")), impersonate_user="system:serviceaccount:shop:bot")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated")


def test_constrained_impersonation_needs_the_user_and_the_action():
    as_user = rule("impersonate:user-info", "users", "authentication.k8s.io")
    with pytest.raises(ApiError):
        become(allowing(as_user), impersonate_user="bob")
    authorizer = allowing(as_user, rule("impersonate-on:user-info:list", "pods"))
    assert become(authorizer, impersonate_user="bob").name == "bob"
    with pytest.raises(ApiError):
        become(authorizer, impersonate_user="bob", impersonate_group="system:masters")
