"""Names that the two halves of local volumes agree on: the controller that makes them, the kubelet that holds them.

A local volume is a folder on one node, made for a claim and removed with it. It has no size limit.
"""

from __future__ import annotations

PROVISIONER = "cybernetes.io/local"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
# On a volume: whose disk it is on.
NODE_LABEL = "cybernetes.io/node"
# On a node: the folder that its volumes are in.
FOLDER = "cybernetes.io/local-volumes"
