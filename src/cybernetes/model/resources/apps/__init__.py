"""Resources of the apps group, one file each."""
