"""Generated gRPC stubs; made at build time by proto/generate_grpc.py from proto/grpc/fields.tsv.

cri_runtime             the container runtime interface, runtime.v1
containerd_*            containerd's own services: events, images, content, containers, tasks
etcd_rpc, etcd_kv       etcd's key-value, watch, lease and maintenance services
device_plugin, plugin_registration, pod_resources   sockets between a kubelet and its plugins
"""
