"""What the kubelet asks of a container runtime.

api   the protocol, and what is observed as plain values
cri   containerd (or another CRI runtime) over gRPC on a unix socket
fake  in memory, scripted; for simulations and tests; held to the same contract suite
"""
