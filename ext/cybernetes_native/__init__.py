"""Compiled kernels; import them through cybernetes.native, which also has their plain twins."""
