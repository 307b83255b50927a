"""Resources of the rbac.authorization.k8s.io group, one file each."""
