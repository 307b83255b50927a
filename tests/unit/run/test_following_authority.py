"""What a joined node does when the cluster's authority is replaced: each step rests on the one before."""

from __future__ import annotations

import pytest

from cybernetes.auth import pki
from cybernetes.base.random import SeededRandom
from cybernetes.install.joining.invitation import cluster_info
from cybernetes.run import published
from cybernetes.run.config import ApiServerConfig, ClusterConfig
from cybernetes.run.start.authority import Renew, Say, Seen, Trust, plan

TERMS = pki.Terms(1_800_000_000.0, SeededRandom(3))
OLD, NEW = pki.ca("old", TERMS), pki.ca("new", TERMS)
OF_OLD, OF_NEW = (pki.client(each, "system:node:n1", ("system:nodes",), TERMS).certificate for each in (OLD, NEW))
ONLY_OLD, ONLY_NEW = OLD.certificate, NEW.certificate
BEGUN, SWITCHED = ONLY_OLD + ONLY_NEW, ONLY_NEW + ONLY_OLD


def _seen(bundle: bytes, trusted: bytes, own: bytes, said: bytes = b"") -> Seen:
    confirmation = published.confirmation(said) if said else ""
    return Seen(bundle, trusted, {"client-kubelet-n1": own, "kubelet-n1": OF_NEW}, confirmation)


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (_seen(SWITCHED, ONLY_OLD, OF_OLD, ONLY_OLD), [Trust(SWITCHED)]),
        (_seen(SWITCHED, BEGUN, OF_OLD, BEGUN), [Trust(SWITCHED)]),
        (_seen(SWITCHED, SWITCHED, OF_OLD, BEGUN), [Renew("client-kubelet-n1")]),
        (_seen(SWITCHED, SWITCHED, OF_NEW, BEGUN), [Say(published.confirmation(SWITCHED))]),
        (_seen(SWITCHED, SWITCHED, OF_NEW, SWITCHED), []),
        (_seen(ONLY_NEW, SWITCHED, OF_NEW, SWITCHED), [Trust(ONLY_NEW)]),
        (_seen(ONLY_NEW, ONLY_NEW, OF_NEW), [Say(published.confirmation(ONLY_NEW))]),
        (_seen(BEGUN, BEGUN, OF_OLD), [Renew("kubelet-n1")]),
    ],
)
def test_what_comes_next(seen: Seen, steps: list[object]) -> None:
    assert plan(seen) == steps


def test_a_bundle_is_read_from_what_was_published() -> None:
    config = ClusterConfig(api_server=ApiServerConfig(advertise_address="10.0.0.1"))
    assert published.authority(cluster_info(config, SWITCHED)[1]) == SWITCHED


@pytest.mark.parametrize("kubeconfig", ["", "[", "clusters: []", "clusters: [{cluster: {}}]"])
def test_what_is_no_bundle_is_not_believed(kubeconfig: str) -> None:
    with pytest.raises(ValueError, match="kube-public/cluster-info has no authority"):
        published.authority({"data": {"kubeconfig": kubeconfig}})


def test_what_is_no_certificate_is_not_believed() -> None:
    config = ClusterConfig(api_server=ApiServerConfig(advertise_address="10.0.0.1"))
    with pytest.raises(ValueError, match="parsing"):
        published.authority(cluster_info(config, ONLY_OLD + b"-----BEGIN CERTIFICATE-----\nAAAA\n")[1])
