"""What the cluster says its authority is (kube-public/cluster-info), and what joined nodes say they go by.

The first certificate of the authority's bundle signs, all of them are trusted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import yaml

from cybernetes.auth import pki

Object = dict[str, Any]

# Name and key of the ConfigMap in kube-public that kubeadm, too, looks for.
NAMESPACE, CLUSTER_INFO, KUBECONFIG = "kube-public", "cluster-info", "kubeconfig"
# Of a Node: the bundle that its machine trusts, and whose first authority all its certificates are of.
CONFIRMED = "cybernetes.io/authority"


def authority(config_map: Object) -> bytes:
    """The bundle (PEM) of a cluster-info. Raises ValueError for what is none."""
    try:
        kubeconfig = yaml.safe_load(config_map["data"][KUBECONFIG])
        bundle = base64.b64decode(kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"], validate=True)
    except (KeyError, IndexError, TypeError, yaml.YAMLError, binascii.Error) as broken:
        raise ValueError(f"{NAMESPACE}/{CLUSTER_INFO} has no authority: {broken}") from broken
    certificates = pki.bundle(bundle)
    if not certificates:
        raise ValueError(f"{NAMESPACE}/{CLUSTER_INFO} has no authority")
    for each in certificates:
        pki.validity(each)
    return bundle


def confirmation(bundle: bytes) -> str:
    """What a node that goes by a bundle has as its annotation."""
    return f"sha256:{hashlib.sha256(bundle).hexdigest()}"
