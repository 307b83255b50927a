"""Resources of the admissionregistration.k8s.io group, one file each."""
