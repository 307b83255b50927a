"""The door to compiled code: each kernel's compiled form, or its plain Python twin where it was not built.

enters   flat arrays and scalars
leaves   flat arrays and bytes
holds    a twin gives what its kernel gives, for every input; CYBERNETES_NATIVE=twin chooses the twins
"""
