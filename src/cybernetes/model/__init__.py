"""What objects mean: pure functions over dicts; no I/O, no clock of its own.

resource    the description of one API resource: names, verbs, subresources, strategy, columns
resources/  one file a resource; adding a resource is adding a file
schema/     OpenAPI definitions compiled to a node tree: decode, prune, default
validation/ rules shared by several resources
field       paths and the errors that validation returns
patch, apply, selector, quantity, convert
"""
