from cybernetes.model.printing.workloads import JOBS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of

RESOURCE = Resource(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    singular="job",
    namespaced=True,
    categories=("all",),
    subresources=(
        Subresource(name="status", kind="Job", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))),
    ),
    storage_version_hash="mudhfqk/qZY=",
    strategy=standard(
        namespaced=True,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        default_propagation="Orphan",
        reset_fields=(("status",),),
    ),
    fields={"status.successful": lambda obj: str((obj.get("status") or {}).get("succeeded", 0))},
    columns=JOBS,
    schema="io.k8s.api.batch.v1.Job",
)
