"""Resources of the apiregistration.k8s.io group, one file each."""
