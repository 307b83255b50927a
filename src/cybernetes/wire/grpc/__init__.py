"""Generated gRPC stubs; made at build time by proto/generate_grpc.py from proto/grpc/fields.tsv.

cri_runtime             the container runtime interface, runtime.v1
containerd_*            containerd's own service of events, and what its events hold
etcd_rpc, etcd_kv       etcd's key-value, watch, lease and maintenance services
kms_v2                  key services
"""
