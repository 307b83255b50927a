"""Jobs: pods that run to completion."""

from __future__ import annotations

from cybernetes.model.printing.workloads import JOBS
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.job_statuses import validate_job_status
from cybernetes.model.validation.jobs import validate_job, validate_job_update
from cybernetes.model.warnings.pods import of_template


def _generate_selector(obj: Object, ctx: WriteContext) -> None:
    """The job's uid is what tells its pods from all others, unless the user promises to have seen to it.

    Labels that are there already stay: validation refuses those of another job.
    """
    spec, meta = obj["spec"], obj["metadata"]
    if spec.get("manualSelector"):
        return
    labels = spec.setdefault("template", {}).setdefault("metadata", {}).setdefault("labels", {})
    uid, name = meta["uid"], meta.get("name", "")
    for prefix in ("batch.kubernetes.io/", ""):
        labels.setdefault(f"{prefix}controller-uid", uid)
        labels.setdefault(f"{prefix}job-name", name)
    selector = spec.setdefault("selector", {})
    selector.setdefault("matchLabels", {}).setdefault("batch.kubernetes.io/controller-uid", uid)


def _labels_of_template(obj: Object) -> None:
    """A job without labels has those of its pods, the generated ones included."""
    labels = obj["spec"]["template"]["metadata"].get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


RESOURCE = Resource(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    singular="job",
    namespaced=True,
    categories=("all",),
    subresources=(
        Subresource(
            name="status",
            kind="Job",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_job_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="mudhfqk/qZY=",
    strategy=standard(
        namespaced=True,
        warnings=of_template("spec", "template"),
        meta_checks_on_update=2,
        validate=validate_job,
        validate_update=validate_job_update,
        prepare_create=(
            empty_status,
            first_generation,
            _generate_selector,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        canonicalize=_labels_of_template,
        default_propagation="Orphan",
        reset_fields=(("status",),),
    ),
    fields={"status.successful": lambda obj: str((obj.get("status") or {}).get("succeeded", 0))},
    columns=JOBS,
    schema="io.k8s.api.batch.v1.Job",
)
