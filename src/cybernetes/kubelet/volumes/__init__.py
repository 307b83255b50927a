"""A pod's volumes on this machine's disk.

payload  what files configMap, secret, downwardAPI and projected volumes hold (pure)
layout   where volumes and mounts are (pure)
atomic   writes a set of files so that a reader sees all of the old or all of the new
kernel   mounts; owners and modes; sub-paths that can't escape
setup    makes and removes all volumes of a pod
tokens   service account tokens, refreshed before they end
"""
