from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="authorization.k8s.io",
    version="v1",
    kind="LocalSubjectAccessReview",
    plural="localsubjectaccessreviews",
    singular="localsubjectaccessreview",
    namespaced=True,
    verbs=("create",),
    schema="io.k8s.api.authorization.v1.LocalSubjectAccessReview",
)
