"""Functions beside those of the language: what Kubernetes turns on of cel-go's extensions, and its own general ones.

Each module has `overloads()`.
"""
