"""Resources of the apiextensions.k8s.io group, one file each."""
