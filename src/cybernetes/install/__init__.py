"""Turns a machine into a node, and back: packages, keys, runtime configuration, images, networks between nodes.

enters   a ClusterConfig and what the machine has
leaves   files below the data directory; imported images; network namespaces; nothing after removal
holds    every step may be repeated; nothing outside the data directory is changed but what `remove` takes back
fails    EdgeError that says which step, on what, and what to do
"""
