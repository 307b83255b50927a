"""Routes, sysctls and masquerading of a node, behind an interface.

api      what plans need done
netlink  the kernel
fake     in memory
"""
