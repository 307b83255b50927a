"""Resources of the autoscaling group, one file each."""
