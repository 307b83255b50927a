"""Resources of the node.k8s.io group, one file each."""
