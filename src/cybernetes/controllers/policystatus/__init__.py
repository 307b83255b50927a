"""Tells of each ValidatingAdmissionPolicy what its expressions get wrong about types.

enters   policies; schemas of the kinds that they name
leaves   status.typeChecking and status.observedGeneration, by server-side apply
holds    a generation of a policy is checked once
fails    what can't be read or written is tried again
start    loop.PolicyStatusController.sync -> schemas.Schemas.type_of -> model.expressions.type_checking.warnings
"""
