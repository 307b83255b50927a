"""Turns Services and EndpointSlices into packet rules for this node.

enters   Service, EndpointSlice and Node events; the node's name, the administrator's settings
leaves   one committed transaction per burst of changes and address family
holds    rules in the kernel equal the last plan; foreign tables are never touched; a changed endpoint costs what
         its service has of rows, whatever else there is; rules outlive the process
fails    EdgeError from the kernel -> full comparison with a fresh dump, with backoff; rules stay as they were
start    loop.Proxy.run -> state.reduce -> plan.port_rows -> diff.Ledger.change -> packets.commit
"""
