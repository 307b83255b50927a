"""Gives Services their addresses and node ports inside the write path.

enters   a Service before and after a write; the service ranges, one a family and those of ServiceCIDRs; all Services
         and ServiceCIDRs through the caches
leaves   the Service with addresses and ports; IPAddress objects, written in the same transaction
holds    an address or a port belongs to one Service: in this process by what is reserved and what is cached, in
         the store by the check that its IPAddress does not exist yet
fails    ApiError 422 for what is taken or out of range, 500 when a range is used up

fields       which parts of a Service depend on its type; pure
families     one or two address families; pure
pools        addresses and ports, taken and free
allocator    the two put together

source  Kubernetes documentation "Service ClusterIP allocation", "IPv4/IPv6 dual-stack"
"""
