"""Lists the endpoints of each Service with a selector in EndpointSlices.

enters   Services, pods, nodes (for zones), the slices of this controller
leaves   EndpointSlices: at most 100 endpoints each, one set per address family and per resolved ports
holds    an endpoint stays in its slice; as few slices as possible are written
fails    a refused write is tried again; slices are not decided on before its own earlier writes were seen
start    loop.EndpointSliceController.sync -> endpoints.desired -> plan.reconcile
"""
