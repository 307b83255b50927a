from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Binding",
    plural="bindings",
    singular="binding",
    namespaced=True,
    verbs=("create",),
    schema="io.k8s.api.core.v1.Binding",
)
