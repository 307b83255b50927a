"""The store in an etcd cluster, for several API servers.

enters   transactions; any number of processes use the same cluster
leaves   revisions, entries, watches: etcd's own, under a root of keys
holds    what etcd holds: an acknowledged write is on the disks of a majority; reads are linearizable
fails    EdgeError: UNKNOWN when a write got no answer, NOT_DONE when etcd refused it or a read failed;
         a watch resumes by itself, and gives up after a minute without the cluster
start    store.EtcdStore.open
"""
