"""Resources of the batch group, one file each."""
