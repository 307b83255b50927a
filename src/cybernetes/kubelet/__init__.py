"""Turns the pods bound to this node into containers, and what becomes of them into pod status.

enters   pods with spec.nodeName = this node; static manifests; what the runtime reports; probe results
leaves   sandboxes and containers; pod and node status, lease, events; answers on port 10250
holds    a running container is never touched because the kubelet, or the runtime, was restarted;
         a terminal phase never changes back; nothing of a deleted pod stays behind
fails    EdgeError of the runtime or of a volume -> the pod's worker tries again with backoff
start    loop.Kubelet.run -> worker.PodWorker.run -> plan.plan -> starter.Starter, stop.Stopper -> status.compute
"""
