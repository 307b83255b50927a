"""Mirrors Endpoints that users write for Services without a selector into EndpointSlices.

enters   Endpoints, Services, the slices of this controller
leaves   EndpointSlices: at most 1000 endpoints each, one set per address family and ports
holds    Endpoints labelled skip-mirror, and those that leaders are elected with, are not mirrored
fails    a refused write is tried again
start    loop.MirroringController.sync -> plan.desired -> endpointslice.plan.reconcile
"""
