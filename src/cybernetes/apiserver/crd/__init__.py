"""CustomResourceDefinitions: which names they get, what they serve, and their end.

enters   definitions as the caches hold them
leaves   rows in the registry; status of definitions; deletions of their objects
holds    a definition is served from the moment it is established until it is gone; what is served follows the cache
fails    ApiError and EdgeError of its own requests: tried again with growing pauses
start    publish.Publisher (synchronous, from the cache) and loop.DefinitionLoop (writes, as a client)
source   Kubernetes documentation "Extend the Kubernetes API with CustomResourceDefinitions"
"""
