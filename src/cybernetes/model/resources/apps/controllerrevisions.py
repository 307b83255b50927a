from cybernetes.model.printing.workloads import CONTROLLER_REVISIONS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.revisions import validate_revision, validate_revision_update

RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    namespaced=True,
    storage_version_hash="85nkx63pcBU=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=2,
        validate=validate_revision,
        validate_update=validate_revision_update,
    ),
    columns=CONTROLLER_REVISIONS,
    schema="io.k8s.api.apps.v1.ControllerRevision",
)
