"""Keeps the cluster's state: revisions, ranges, transactions, watches. Knows no kinds.

enters   checks and writes of bytes under text keys
leaves   revisions, entries, batches of events
holds    an acknowledged write is on disk; revisions only grow; a watch gives every event once,
         in order, or ends with Compacted
fails    Conflict (nothing written); EdgeError from disk or network, outcome UNKNOWN when the
         write may have happened
start    api.Store is the contract; memory, sqlite and etcd implement it; tests/contract/store holds them to it
"""
