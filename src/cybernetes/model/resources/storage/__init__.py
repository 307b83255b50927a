"""Resources of the storage.k8s.io group, one file each."""
