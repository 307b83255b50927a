"""Resources of the discovery.k8s.io group, one file each."""
