"""OpenAPI documents of what is served: an index and one v3 document per group version, and one v2 document of all.

enters   a `discovery.Listing`, schemas of custom resources by definition name
leaves   bytes: JSON, and protobuf for v2; hashes by which clients cache them
holds    the index is made without the documents; a document is made when it is asked for and kept by the caller
source   Kubernetes documentation "Kubernetes API", OpenAPI interface definition
start    v3.index(...), v3.document(...), v2.document(...), gnostic.encode(...)
"""
