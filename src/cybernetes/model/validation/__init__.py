"""Rules that objects must satisfy beyond their schema, with Kubernetes' exact words.

enters   decoded, defaulted objects
leaves   lists of FieldError, in Kubernetes' order
holds    pure; a rule lives in one place and is called by every resource that embeds the type
"""
