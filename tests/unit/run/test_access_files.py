"""Files and flags that say who may do what, as the API server reads them."""

import asyncio

import pytest

from cybernetes.auth import pki
from cybernetes.auth.access_webhook import AccessWebhook
from cybernetes.auth.authz import Always
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SeededRandom
from cybernetes.run import apiserver_args, files
from cybernetes.run.apiserver_args import ApiServerArgs
from cybernetes.run.config import ApiServerConfig, ClusterConfig
from cybernetes.run.layout import Layout
from cybernetes.run.start import Setting
from cybernetes.run.start.access import Access

AUTHN = """
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt: [{issuer: {url: https://idp.example.com, audiences: [c]}, claimMappings: {username: {claim: sub, prefix: ""}}}]
anonymous: {enabled: true, conditions: [{path: /livez}]}
"""
AUTHZ = """
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers: [{type: Node, name: n}, {type: RBAC, name: r}]
"""
KUBECONFIG = """
clusters: [{name: c, cluster: {server: "https://hook.example.com/authorize"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
"""


class Hurried:
    def monotonic(self):
        return 0.0

    def now(self):
        return 0.0

    async def sleep(self, seconds):
        for _ in range(5):
            await asyncio.sleep(0)


def access(folder, **args) -> Access:
    layout = Layout(folder)
    layout.pki.mkdir(exist_ok=True)
    files.service_account_key(layout).write_bytes(pki.new_key(SeededRandom(1)))
    config = ClusterConfig(api_server=ApiServerConfig(extra_args=ApiServerArgs(**args)))
    return Access(Setting(config, layout), Hurried())


def order_of(found: Access):
    members = []
    found.authorization.order.follow(lambda each: members.append(tuple(each)))
    return members[-1]


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


def test_without_files_the_cluster_knows_its_own(tmp_path):
    found = access(tmp_path)
    asyncio.run(found.start())
    assert found.files == () and order_of(found) == ("Node", "RBAC")
    assert found.authentication.others.issuers == {} and found.authentication.others.nobody.may_ask("/livez")
    assert found.issuers == ("https://kubernetes.default.svc.cluster.local",)


def test_files_are_taken_up_again_when_they_change_and_bad_ones_are_not(tmp_path):
    authn, authz, hook = (tmp_path / name for name in ("authn.yaml", "authz.yaml", "hook.conf"))
    authn.write_text(AUTHN)
    authz.write_text(AUTHZ)
    hook.write_text(KUBECONFIG)
    found = access(tmp_path, authentication_config=str(authn), authorization_config=str(authz))

    async def scenario():
        await found.start()
        others = found.authentication.others
        assert list(others.issuers) == ["https://idp.example.com"] and not others.nobody.may_ask("/readyz")
        tasks = [asyncio.create_task(each.run()) for each in found.files]
        authn.write_text(AUTHN.replace("idp", "other"))
        await until(lambda: list(others.issuers) == ["https://other.example.com"])
        authz.write_text(
            AUTHZ.replace(
                "{type: Node",
                "{type: Webhook, name: h, webhook: {subjectAccessReviewVersion: v1, failurePolicy: Deny, "
                f"connectionInfo: {{type: KubeConfigFile, kubeConfigFile: {hook}}}}}}}, {{type: Node",
            )
        )
        await until(lambda: isinstance(order_of(found)[0], AccessWebhook))
        authz.write_text("half")
        failed = "apiserver_authorization_config_controller_automatic_reloads_total"
        samples = lambda: [s for m in found.files[1].collect() for s in m.samples]  # noqa: E731
        await until(lambda: any(s.name == failed and s.labels == {"status": "failure"} and s.value for s in samples()))
        assert isinstance(order_of(found)[0], AccessWebhook)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await found.close()

    asyncio.run(scenario())


def test_modes_by_flags(tmp_path):
    hook = tmp_path / "hook.conf"
    hook.write_text(KUBECONFIG)

    async def scenario():
        found = access(
            tmp_path, authorization_mode=("RBAC", "Webhook", "AlwaysDeny"), authorization_webhook_config_file=str(hook)
        )
        await found.start()
        rbac, webhook, always = order_of(found)
        assert rbac == "RBAC" and isinstance(webhook, AccessWebhook) and isinstance(always, Always)
        await found.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "args",
    [
        {"authorization_mode": ("ABAC",)},
        {"authorization_mode": ("Webhook",)},
        {"authentication_config": "/nowhere.yaml"},
        {"service_account_key_file": ("/nowhere.pub",)},
        {"oidc_issuer_url": "http://idp.example.com", "oidc_client_id": "c"},
        {"oidc_issuer_url": "https://idp.example.com", "oidc_client_id": "c", "oidc_required_claim": ("hd",)},
    ],
)
def test_flags_that_cannot_be_used_keep_the_server_from_starting(tmp_path, args):
    with pytest.raises(EdgeError):
        asyncio.run(access(tmp_path, **args).start())


@pytest.mark.parametrize(
    ("flags", "username", "groups"),
    [
        ({}, ("sub", "https://idp.example.com#"), ("", None)),
        ({"oidc_username_claim": "email"}, ("email", ""), ("", None)),
        ({"oidc_username_prefix": "-"}, ("sub", ""), ("", None)),
        ({"oidc_username_prefix": "o:", "oidc_groups_claim": "g"}, ("sub", "o:"), ("g", "")),
    ],
)
def test_the_older_flags_make_one_issuer(tmp_path, flags, username, groups):
    found = access(tmp_path, oidc_issuer_url="https://idp.example.com", oidc_client_id="c", **flags)
    asyncio.run(found.start())
    (issuer,) = found.authentication.others.issuers.values()
    mappings = issuer.jwt.claim_mappings
    assert (mappings.username.claim, mappings.username.prefix) == username
    assert (mappings.groups.claim, mappings.groups.prefix) == groups


def test_former_keys_are_believed(tmp_path):
    pem = pki.public_key(pki.new_key(SeededRandom(2)))
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "sa-former-1.pub").write_bytes(pem)
    other = tmp_path / "other.key"
    other.write_bytes(pki.new_key(SeededRandom(3)))
    found = access(tmp_path, service_account_key_file=(str(other),))
    assert found.former_keys == (pem, pki.public_key(other.read_bytes()))


def test_flags_are_read_as_texts():
    args = apiserver_args.changed(
        ApiServerArgs(),
        {
            "authorization-mode": "Node,Webhook",
            "audit-log-maxage": "7",
            "anonymous-auth": "false",
            "api-audiences": "a,b",
        },
    )
    assert (args.authorization_mode, args.audit_log_maxage, args.anonymous_auth) == (("Node", "Webhook"), 7, False)
    assert args.api_audiences == ("a", "b")


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"audit-log-max-age": "7"}, "no flag --audit-log-max-age"),
        ({"audit-log-maxage": "long"}, "audit-log-maxage"),
        ({"authentication-token-webhook-cache-ttl": "soon"}, "duration"),
    ],
)
def test_flags_that_do_not_exist_or_have_another_type_are_refused(texts, says):
    with pytest.raises(ValueError, match=says):
        apiserver_args.changed(ApiServerArgs(), texts)
