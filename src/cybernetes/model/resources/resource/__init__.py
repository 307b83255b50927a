"""Resources of the resource.k8s.io group, one file each."""
