"""Chooses a node for every pod that has none.

enters   pods, nodes, namespaces, budgets, owners and storage objects, through informers
leaves   bindings, PodScheduled conditions, nominations, evictions, events
holds    a decision is a function of the columns, the profile and a seeded choice among equals; it is counted in the
         columns before the next one is made; every possible node is scored
fails    a binding that is refused or lost -> the pod leaves its node and is tried again after a backoff
start    loop.Scheduler -> state.ClusterState -> queue.SchedulingQueue.pop -> cycle.Cycle.decide -> bind
"""
