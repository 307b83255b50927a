"""Machines join by token: what is offered, what is believed, what a node is told."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
import yaml

from apiserver_fixture import serving_apiserver
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.install.joining import discovery, invitation
from cybernetes.run.config import ApiServerConfig, ClusterConfig, NetworkConfig, NodeConfig

RANDOM = SeededRandom(5)
AUTHORITY = pki.ca("test", pki.Terms(1_800_000_000.0, RANDOM)).certificate
NODE = NodeConfig("second", "10.0.0.2")
CONFIG = ClusterConfig(
    name="east",
    api_server=ApiServerConfig(advertise_address="10.0.0.1", port=7443),
    network=NetworkConfig(pod_range="10.50.0.0/16", proxy_mode="iptables"),
    registry=False,
)


def _named(kind: str, name: str) -> dict[str, Any]:
    [found] = [o for t, o in invitation.objects(CONFIG, AUTHORITY) if t.kind == kind and o["metadata"]["name"] == name]
    return found


def test_tokens_have_the_form_of_bootstrap_tokens() -> None:
    token = invitation.new_token(RANDOM)
    assert (len(token.id), len(token.secret)) == (6, 16)
    assert str(token).replace(".", "").isalnum() and str(token).islower()
    assert str(token) != str(invitation.new_token(RANDOM))


def test_a_secret_says_how_long_a_token_lives_and_for_what() -> None:
    secret = invitation.token_secret(invitation.Token("abcdef", "0123456789abcdef"), 0.0)
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert secret["metadata"] == {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    assert data == {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "expiration": "1970-01-01T00:00:00Z",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:cybernetes:nodes",
    }


def test_anybody_may_read_where_the_cluster_is_and_nothing_else() -> None:
    binding = _named("RoleBinding", "cybernetes:cluster-info")
    assert [each["name"] for each in binding["subjects"]] == ["system:anonymous"]
    [rule] = _named("Role", "cybernetes:cluster-info")["rules"]
    assert rule == {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["cluster-info"], "verbs": ["get"]}
    kubeconfig = yaml.safe_load(_named("ConfigMap", "cluster-info")["data"]["kubeconfig"])
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://10.0.0.1:7443"
    assert kubeconfig["users"] == []


def test_a_node_is_told_what_the_cluster_is_like() -> None:
    shared = _named("ConfigMap", "cybernetes-config")["data"]["cluster"]
    config = discovery.configuration("https://10.0.0.1:7443", shared, NODE)
    assert (config.joined, config.name, config.nodes) == (True, "east", (NODE,))
    assert config.network == CONFIG.network
    assert config.server_url == "https://10.0.0.1:7443"
    assert not config.runs("apiserver") and config.runs("kubelet")


@pytest.mark.parametrize(
    ("typed", "server"),
    [
        ("10.0.0.1", "https://10.0.0.1:6443"),
        ("https://10.0.0.1:7443", "https://10.0.0.1:7443"),
        ("east.example:8443", "https://east.example:8443"),
        ("https://[fd00::1]", "https://[fd00::1]:6443"),
    ],
)
def test_an_address_may_be_typed_short(typed: str, server: str) -> None:
    assert discovery.with_port(typed) == server


def test_only_the_cluster_with_the_hash_is_told_the_token(tmp_path: Any) -> None:
    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            await api.server.ready()
            clock, token = SystemClock(), invitation.new_token(RANDOM)
            client = ApiClient(api.transport(), user_agent="test", clock=clock)
            right = invitation.authority_hash(api.ca)

            async def discover(token: object, ca_hash: str) -> discovery.Found:
                return await discovery.discover(api.url, str(token), ca_hash, NODE, clock)

            with pytest.raises(EdgeError, match="nobody is invited"):
                await discover(token, right)
            await invitation.invite(client, CONFIG, api.ca, token, clock.now() + 60)
            with pytest.raises(EdgeError, match="another hash"):
                await discover(token, "sha256:00")
            with pytest.raises(EdgeError, match="does not take the token"):
                await discover("abcdef.0123456789abcdef", right)
            beside = invitation.cluster_info(CONFIG, AUTHORITY + api.ca)
            await client.apply(*beside, field_manager=invitation.MANAGER)
            found = await discover(token, right)
            assert found.access.authority == api.ca, "who has no hash is not trusted because they stand beside it"
            assert found.config.network == CONFIG.network
            await client.close()

    asyncio.run(main())
