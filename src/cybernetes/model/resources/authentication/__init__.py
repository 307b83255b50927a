"""Resources of the authentication.k8s.io group, one file each."""
