"""Cluster DNS: one server a node, answering for the cluster's domain and forwarding the rest.

enters   Service and EndpointSlice events; queries over UDP and TCP
leaves   answers; the Service `kube-system/kube-dns` and one EndpointSlice for this node's server; a snapshot on disk
holds    answers are those of the last state that was seen, also while the API server is away, and after a start then;
         names outside of the cluster's domain work without any API server
fails    EdgeError while forwarding -> SERVFAIL; EdgeError or ApiError while publishing -> again, with backoff
start    loop.Dns.run -> zone.Zone.reduce_service, zone.Zone.reduce_slice -> serve -> answer.answer -> wire.encode

    Dns(client, clock, random, DnsConfig(...), ready=notify_ready).run()

How pods reach it, and why, is docs/adr/0013-dns-on-every-node.md.
source   "Kubernetes DNS-Based Service Discovery" 1.1.0
"""
