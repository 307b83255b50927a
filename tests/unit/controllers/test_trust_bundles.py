"""The authority of the API server is published for pods."""

from __future__ import annotations

import functools
from typing import Any

import virtual
from world import World

from cybernetes.controllers.certificates.bundle import SIGNER, BundlePublisher, name_of


def bundle(name: str, signer: str = SIGNER) -> dict[str, Any]:
    spec = {"signerName": signer, "trustBundle": "OLD"}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "ClusterTrustBundle",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_the_signer_has_one_bundle_with_its_authority() -> None:
    async def main() -> None:
        w = World(functools.partial(BundlePublisher, authority="PEM"))
        w.api.put("clustertrustbundles", bundle(name_of("OLD")))
        w.api.put("clustertrustbundles", bundle("x.example:y:1", "x.example/y"))
        wanted = {"x.example:y:1": "OLD", name_of("PEM"): "PEM"}

        def published() -> dict[str, str]:
            return {each["metadata"]["name"]: each["spec"]["trustBundle"] for each in w.api.all("clustertrustbundles")}

        async with w.running():
            await w.settle()
            assert published() == wanted and name_of("PEM").startswith("kubernetes.io:kube-apiserver-serving:")
            w.api.edit("clustertrustbundles", name_of("PEM"), lambda b: b["spec"].update(trustBundle="evil"))
            await w.settle()
            assert published() == wanted
            w.api.remove("clustertrustbundles", name_of("PEM"))
            await w.settle()
            assert published() == wanted

    virtual.run(main())
