"""Resources of the authorization.k8s.io group, one file each."""
