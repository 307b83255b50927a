from cybernetes.model.field import Path
from cybernetes.model.printing.core import POD_TEMPLATES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.pods import validate_pod_template
from cybernetes.model.warnings.pods import of_template

RESOURCE = Resource(
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    singular="podtemplate",
    namespaced=True,
    storage_version_hash="LIXB2x4IFpk=",
    strategy=standard(
        namespaced=True,
        warnings=of_template("template"),
        validate=lambda obj: validate_pod_template(obj["template"], Path("template")),
        prepare_create=(first_generation,),
        prepare_update=(next_generation("template"),),
        returns_deleted_object=True,
    ),
    columns=POD_TEMPLATES,
    schema="io.k8s.api.core.v1.PodTemplate",
)
