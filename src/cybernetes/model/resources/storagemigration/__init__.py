"""Resources of the storagemigration.k8s.io group, one file each."""
