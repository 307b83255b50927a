"""metrics.k8s.io: what nodes and pods use now, for `kubectl top` and autoscalers. An API server within this one.

enters   requests that the aggregation layer passes on; the statistics of kubelets
leaves   NodeMetrics and PodMetrics
holds    kubelets are asked only when somebody asks here, each at most once in FRESH_S; a rate is always between two
         samples of the same container; what a user may read was decided before
fails    a kubelet that does not answer: its node and pods are missing from the answer, as with metrics-server
start    serve.ResourceMetrics.answer

Another metrics server that names a Service in the APIService v1beta1.metrics.k8s.io takes its place.

source  k8s.io/metrics v1beta1; KEP "Resource Metrics API"
"""
