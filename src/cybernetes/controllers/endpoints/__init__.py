"""Keeps the Endpoints object of each Service with a selector, for clients that read no EndpointSlices.

enters   Services, pods, Endpoints
leaves   Endpoints of the Service's name: at most 1000 addresses
holds    Endpoints of Services without a selector, and those that leaders are elected with, are not touched
fails    Event FailedToUpdateEndpoint; tried again later
start    loop.EndpointsController.sync -> plan.subsets
"""
