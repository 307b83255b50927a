"""Jobs as their controller sees them."""

from __future__ import annotations

import msgspec

from cybernetes.controllers.objects import EMPTY, Condition, Meta, Selector, View

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
MANAGER = "kubernetes.io/job-controller"


class OnExitCodes(View, frozen=True, gc=False):
    operator: str
    values: tuple[int, ...] = ()
    container_name: str | None = None


class OnPodCondition(View, frozen=True, gc=False):
    type: str
    status: str = "True"


class FailureRule(View, frozen=True, gc=False):
    action: str
    on_exit_codes: OnExitCodes | None = None
    on_pod_conditions: tuple[OnPodCondition, ...] = ()


class FailurePolicy(View, frozen=True, gc=False):
    rules: tuple[FailureRule, ...] = ()


class SuccessRule(View, frozen=True, gc=False):
    succeeded_indexes: str | None = None
    succeeded_count: int | None = None


class SuccessPolicy(View, frozen=True, gc=False):
    rules: tuple[SuccessRule, ...] = ()


class JobSpec(View, frozen=True, gc=False):
    parallelism: int = 1
    completions: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int = 6
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    selector: Selector = Selector()
    template: msgspec.Raw = EMPTY
    ttl_seconds_after_finished: int | None = None
    completion_mode: str = "NonIndexed"
    suspend: bool = False
    pod_replacement_policy: str | None = None
    pod_failure_policy: FailurePolicy | None = None
    success_policy: SuccessPolicy | None = None
    managed_by: str | None = None

    @property
    def indexed(self) -> bool:
        return self.completion_mode == "Indexed"

    @property
    def replaces_only_failed(self) -> bool:
        """Whether a pod on its way out still counts until it has ended."""
        return self.pod_replacement_policy == "Failed" or self.pod_failure_policy is not None


class Uncounted(View, frozen=True, gc=False):
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class JobStatus(View, frozen=True, gc=False):
    conditions: tuple[Condition, ...] = ()
    start_time: str | None = None
    completion_time: str | None = None
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int | None = None
    ready: int | None = None
    completed_indexes: str = ""
    failed_indexes: str | None = None
    uncounted_terminated_pods: Uncounted | None = None


class Job(View, frozen=True, gc=False):
    metadata: Meta
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


def finished(conditions: tuple[Condition, ...]) -> Condition | None:
    """Complete or Failed, once it is True."""
    return next((each for each in conditions if each.type in ("Complete", "Failed") and each.status == "True"), None)
