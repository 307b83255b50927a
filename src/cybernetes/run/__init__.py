"""The composition root: which processes make a cluster, with what configuration, and who keeps them alive.

enters   a ClusterConfig and a data directory
leaves   running components under one supervisor
holds    components.py is the one place that constructs edges; a component that ends is started again with
         backoff; nothing of ours outlives the supervisor but containers and packet rules
fails    a component that can't start says why in its log; the supervisor keeps trying and `status` shows it
start    supervise.Supervisor over the processes that components.plan lists
"""
