from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    singular="podtemplate",
    namespaced=True,
    storage_version_hash="LIXB2x4IFpk=",
    schema="io.k8s.api.core.v1.PodTemplate",
)
