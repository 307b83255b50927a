"""Resources of the certificates.k8s.io group, one file each."""
