"""Gives pods of this node addresses and ways: CNI configuration, routes to other nodes' pods, masquerading.

enters   Node events; where CNI looks for its configuration
leaves   one CNI configuration file; a route for each other node's pod ranges; one nf_tables table; sysctls
holds    routes of ours (by their protocol number) are exactly those of the nodes there are; foreign ones stay;
         nothing is taken away when the process stops
fails    EdgeError from the kernel or the disk -> the same plan again, with backoff
start    loop.Network.run -> plan.plan -> apply.apply

    Network(client, links, clock, random, NetworkConfig(...), ready=notify_ready).run()
        client   client.ApiClient
        links    links.netlink.KernelLinks() in the node's network namespace, links.fake.FakeLinks() in tests
    await apply.remove(links, conf_dir)     takes everything back
    policy.loop.Policies(client, kernel, clock, random, node).run()     what NetworkPolicies keep from pods

Pods are joined by routed pairs (the CNI plugin in `cni/`), not by a bridge: on a bridge packets between two pods of a node can
pass below conntrack, and then the answer of a Service's endpoint does not find its way back.
"""
