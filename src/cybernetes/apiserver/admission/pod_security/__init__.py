"""PodSecurity: pods keep to the Pod Security Standard that their namespace's labels name.

levels   privileged, baseline, restricted, each as of a Kubernetes version
checks   one function a control: what a pod violates, in Kubernetes' words
plugin   enforces on pods; warns about pods, and about workloads that will make them

source  Kubernetes documentation "Pod Security Standards", "Enforce Pod Security Standards with Namespace Labels"
"""
