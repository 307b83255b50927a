from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    namespaced=True,
    storage_version_hash="85nkx63pcBU=",
    schema="io.k8s.api.apps.v1.ControllerRevision",
)
