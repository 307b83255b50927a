"""The objects that a cluster has from its first second, and that come back when they are lost.

enters   the server's configuration; what exists already
leaves   namespaces, roles and bindings, priority classes, flow control, APIServices, the service `kubernetes`
holds    what an administrator marked (autoupdate "false") or added is left alone; nothing is ever taken away
fails    ApiError and EdgeError are logged and tried again at the next round
start    loop.Bootstrap.ensure once before the server is ready, then loop.Bootstrap.run

The desired objects are data (policy.yaml and tables); `reconcile` decides what a found object lacks. All writes go
through the API as any other client's.

source  Kubernetes documentation "Using RBAC Authorization", "API Priority and Fairness": default objects
"""
