"""Resources of the scheduling.k8s.io group, one file each."""
