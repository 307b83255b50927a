"""Says of service ranges that they are ready, and keeps those that are in use from going.

enters   ServiceCIDRs, IPAddresses
leaves   the finalizer service-cidr-finalizer, the condition Ready
holds    a range goes only when each of its addresses is in another range too
fails    a refused write is tried again
start    loop.ServiceCidrController.sync -> plan.only_in
"""
