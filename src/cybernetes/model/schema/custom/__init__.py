"""Custom resources: structural schemas, and what they do to objects.

enters   openAPIV3Schema of a CustomResourceDefinition's version
leaves   a node like that of built-in kinds; pruning, defaults, validation of whole objects
holds    what the schema doesn't name is dropped unless it is told to be kept; metadata is always that of all kinds
fails    ApiError 400 from reading, field errors from validation
source   Kubernetes documentation "Extend the Kubernetes API with CustomResourceDefinitions"
start    structural.custom_node(schema, ...) -> decode.decode, default.default (as for built-in kinds) -> validate.validate
"""
