from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="authentication.k8s.io",
    version="v1",
    kind="TokenReview",
    plural="tokenreviews",
    singular="tokenreview",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authentication.v1.TokenReview",
)
