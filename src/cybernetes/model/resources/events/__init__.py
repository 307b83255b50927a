"""Resources of the events.k8s.io group, one file each."""
