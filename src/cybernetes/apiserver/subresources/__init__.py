"""Subresources: what stands behind an object's name in a URL.

enters   a Call whose info.subresource is set
leaves   `routes.find(served, name)`: its handlers by verb; None where the resource has no such subresource
"""
