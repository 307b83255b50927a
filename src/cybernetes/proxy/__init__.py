"""Turns Services and EndpointSlices into packet rules for this node.

enters   Service, EndpointSlice and Node events; the node's name, the administrator's settings
leaves   one committed transaction per burst of changes and address family
holds    rules in the kernel equal the last plan; foreign tables are never touched; a changed endpoint costs what
         its service has of rows, whatever else there is; rules outlive the process
fails    EdgeError from the kernel -> full comparison with a fresh dump, with backoff; rules stay as they were
start    loop.Proxy.run -> state.State.reduce_service, state.State.reduce_slice -> plan.port_rows -> diff.Ledger.change
         -> packets.nft.NftPackets.commit

    Proxy(client, planes, flows, clock, random, config.ProxyConfig(...), ready=notify_ready).run()
        planes   one Dataplane a family, made in the node's network namespace:
                 dataplane.TableDataplane(packets.nft.NftPackets(4))
        flows    conntrack.KernelFlows()

Why rows and few chains, where kube-proxy has chains for every service, is docs/adr/0012-service-rules-as-rows.md.
"""
