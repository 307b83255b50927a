"""Resources of the coordination.k8s.io group, one file each."""
