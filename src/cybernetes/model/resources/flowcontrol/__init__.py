"""Resources of the flowcontrol.apiserver.k8s.io group, one file each."""
