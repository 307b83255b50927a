from cybernetes.model.printing.workloads import CRON_JOBS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.cron_jobs import validate_cron_job, validate_cron_job_update
from cybernetes.model.warnings.pods import of_template

RESOURCE = Resource(
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    singular="cronjob",
    namespaced=True,
    short_names=("cj",),
    categories=("all",),
    subresources=(
        Subresource(
            name="status", kind="CronJob", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="sd5LIXh4Fjs=",
    strategy=standard(
        namespaced=True,
        warnings=of_template("spec", "jobTemplate", "spec", "template"),
        validate=validate_cron_job,
        validate_update=validate_cron_job_update,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        reset_fields=(("status",),),
    ),
    columns=CRON_JOBS,
    schema="io.k8s.api.batch.v1.CronJob",
)
