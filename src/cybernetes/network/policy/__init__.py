"""Keeps packets from and to this node's pods as NetworkPolicies say.

enters   NetworkPolicy events; Pod and Namespace events from the first policy on
leaves   one nf_tables table, `inet cybernetes-policy`, only while there are policies
holds    a packet passes when the sender's policies let it out and the receiver's let it in; a pod that no policy
         selects is open; packets of a pod's own node and answers always pass
         a pod that some policy selects is closed before its address is known
         what a change costs follows what changed: an address enters or leaves the sets of the selectors it fits
fails    EdgeError from the kernel -> the whole table again, with backoff; the old one stays meanwhile
start    loop.Policies.run -> state.State -> rows.ingress_rows, rows.egress_rows -> script.change_script -> kernel

source   Kubernetes documentation "Network Policies"; networking.k8s.io/v1
"""
