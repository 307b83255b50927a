"""How apps, batch, autoscaling and policy print."""

from __future__ import annotations

from typing import Any

from cybernetes.base.clock import parse_rfc3339
from cybernetes.model.printing.formats import (
    AGE,
    NAME,
    NONE,
    UNSET,
    at,
    column,
    container_columns,
    count,
    field,
    format_labels,
    format_selector,
    human_duration,
    is_true,
    number,
    since,
    text,
)
from cybernetes.model.resource import Column, Object


def _selector(description: str) -> Column:
    return column("Selector", lambda obj, now: format_selector(at(obj, "spec", "selector")), description, wide=True)


def _ready_of(obj: Object, now: float) -> str:
    return f"{at(obj, 'status', 'readyReplicas', default=0)}/{at(obj, 'spec', 'replicas', default=0)}"


DEPLOYMENTS = (
    NAME,
    column("Ready", _ready_of, "Number of the pod with ready state"),
    field("Up-to-date", "@apps.v1.DeploymentStatus#updatedReplicas", "status", "updatedReplicas", default=0),
    field("Available", "@apps.v1.DeploymentStatus#availableReplicas", "status", "availableReplicas", default=0),
    AGE,
    *container_columns("spec", "template"),
    _selector("@apps.v1.DeploymentSpec#selector"),
)
REPLICA_SETS = (
    NAME,
    number("Desired", "@apps.v1.ReplicaSetSpec#replicas", "spec", "replicas"),
    number("Current", "@apps.v1.ReplicaSetStatus#replicas", "status", "replicas"),
    number("Ready", "@apps.v1.ReplicaSetStatus#readyReplicas", "status", "readyReplicas"),
    AGE,
    *container_columns("spec", "template"),
    _selector("@apps.v1.ReplicaSetSpec#selector"),
)
STATEFUL_SETS = (
    NAME,
    column("Ready", _ready_of, "Number of the pod with ready state"),
    AGE,
    *container_columns("spec", "template"),
)


def _of_daemon(name: str, part: str) -> Column:
    return number(name, f"@apps.v1.DaemonSetStatus#{part}", "status", part)


DAEMON_SETS = (
    NAME,
    _of_daemon("Desired", "desiredNumberScheduled"),
    _of_daemon("Current", "currentNumberScheduled"),
    _of_daemon("Ready", "numberReady"),
    _of_daemon("Up-to-date", "updatedNumberScheduled"),
    _of_daemon("Available", "numberAvailable"),
    column(
        "Node Selector",
        lambda obj, now: format_labels(at(obj, "spec", "template", "spec", "nodeSelector")),
        "@core.v1.PodSpec#nodeSelector",
    ),
    AGE,
    *container_columns("spec", "template"),
    _selector("@apps.v1.DaemonSetSpec#selector"),
)


def _controller(obj: Object, now: float) -> str:
    for owner in at(obj, "metadata", "ownerReferences", default=()):
        if owner.get("controller"):
            group = owner["apiVersion"].rpartition("/")[0]
            kind = f"{owner['kind']}.{group}" if group else owner["kind"]
            return f"{kind.lower()}/{owner['name']}"
    return NONE


CONTROLLER_REVISIONS = (
    NAME,
    column("Controller", _controller, "Controller of the object"),
    field("Revision", "@apps.v1.ControllerRevision#revision", "revision", default=0),
    AGE,
)


# ---- batch ---------------------------------------------------------------------------------------------------------


def _job_status(obj: Object, now: float) -> str:
    conditions = at(obj, "status", "conditions", default=())
    for kind in ("Complete", "Failed"):
        if is_true(conditions, kind):
            return kind
    if at(obj, "metadata", "deletionTimestamp"):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_true(conditions, kind):
            return kind
    return "Running"


def _completions(obj: Object, now: float) -> str:
    done, wanted = at(obj, "status", "succeeded", default=0), at(obj, "spec", "completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallel = at(obj, "spec", "parallelism", default=0)
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_duration(obj: Object, now: float) -> str:
    started, ended = at(obj, "status", "startTime"), at(obj, "status", "completionTime")
    if not started:
        return ""
    return human_duration((parse_rfc3339(ended) if ended else now) - parse_rfc3339(started))


JOBS = (
    NAME,
    column("Status", _job_status, "Status of the job."),
    column("Completions", _completions, "@batch.v1.JobStatus#succeeded"),
    column("Duration", _job_duration, "Time required to complete the job."),
    AGE,
    *container_columns("spec", "template"),
    _selector("@batch.v1.JobSpec#selector"),
)


def _suspended(obj: Object, now: float) -> str:
    value = at(obj, "spec", "suspend")
    return UNSET if value is None else str(bool(value))


def _last_schedule(obj: Object, now: float) -> str:
    last = at(obj, "status", "lastScheduleTime")
    return since(last, now) if last else NONE


CRON_JOBS = (
    NAME,
    text("Schedule", "@batch.v1.CronJobSpec#schedule", "spec", "schedule"),
    text("Timezone", "@batch.v1.CronJobSpec#timeZone", "spec", "timeZone", default=NONE),
    column("Suspend", _suspended, "@batch.v1.CronJobSpec#suspend", "boolean"),
    count("Active", "@batch.v1.CronJobStatus#active", "status", "active"),
    column("Last Schedule", _last_schedule, "@batch.v1.CronJobStatus#lastScheduleTime"),
    AGE,
    *container_columns("spec", "jobTemplate", "spec", "template"),
    column(
        "Selector",
        lambda obj, now: format_selector(at(obj, "spec", "jobTemplate", "spec", "selector")),
        "@batch.v1.JobSpec#selector",
        wide=True,
    ),
)


# ---- autoscaling, policy -------------------------------------------------------------------------------------------

_UNKNOWN_METRIC = "<unknown>"


def _targets(obj: Object, now: float) -> str:
    wanted = at(obj, "spec", "metrics", default=[])
    current = at(obj, "status", "currentMetrics", default=[])
    if not wanted:
        return NONE
    shown = [_target(each, current[i] if i < len(current) else {}) for i, each in enumerate(wanted)]
    text_ = ", ".join(shown[:2])
    return f"{text_} + {len(shown) - 2} more..." if len(shown) > 2 else text_


def _target(metric: Object, current: Object) -> str:
    kinds = {
        "External": "external",
        "Pods": "pods",
        "Object": "object",
        "Resource": "resource",
        "ContainerResource": "containerResource",
    }
    kind = metric.get("type", "")
    part = kinds.get(kind)
    if part is None:
        return "<unknown type>"
    target = at(metric, part, "target", default={})
    now = at(current, part, "current", default={})
    if kind in ("Resource", "ContainerResource"):
        return f"{at(metric, part, 'name', default='')}: {_resource_target(target, now)}"
    if kind == "Pods":
        return f"{now.get('averageValue', _UNKNOWN_METRIC)}/{target.get('averageValue', '')}"
    if target.get("averageValue") is not None:
        return f"{now.get('averageValue', _UNKNOWN_METRIC)}/{target['averageValue']} (avg)"
    return f"{now.get('value', _UNKNOWN_METRIC)}/{target.get('value', '')}"


def _resource_target(target: dict[str, Any], now: dict[str, Any]) -> str:
    if target.get("averageValue") is not None:
        return f"{now.get('averageValue', _UNKNOWN_METRIC)}/{target['averageValue']}"
    used = now.get("averageUtilization")
    shown = _UNKNOWN_METRIC if used is None else f"{used}%"
    wanted = target.get("averageUtilization")
    return f"{shown}/{'<auto>' if wanted is None else f'{wanted}%'}"


_SCALER = "@autoscaling.v2.HorizontalPodAutoscalerSpec"
HORIZONTAL_POD_AUTOSCALERS = (
    NAME,
    column(
        "Reference",
        lambda obj, now: f"{at(obj, 'spec', 'scaleTargetRef', 'kind')}/{at(obj, 'spec', 'scaleTargetRef', 'name')}",
        f"{_SCALER}#scaleTargetRef",
    ),
    column("Targets", _targets, f"{_SCALER}#metrics"),
    text("MinPods", f"{_SCALER}#minReplicas", "spec", "minReplicas", default=UNSET),
    field("MaxPods", f"{_SCALER}#maxReplicas", "spec", "maxReplicas", default=0),
    field(
        "Replicas",
        "@autoscaling.v2.HorizontalPodAutoscalerStatus#currentReplicas",
        "status",
        "currentReplicas",
        default=0,
    ),
    AGE,
)
SCALES = (
    NAME,
    number("Desired", "@autoscaling.v1.ScaleSpec#replicas", "spec", "replicas"),
    number("Available", "@autoscaling.v1.ScaleStatus#replicas", "status", "replicas"),
    AGE,
)
POD_DISRUPTION_BUDGETS = (
    NAME,
    text("Min Available", "The minimum number of pods that must be available.", "spec", "minAvailable", default="N/A"),
    text(
        "Max Unavailable",
        "The maximum number of pods that may be unavailable.",
        "spec",
        "maxUnavailable",
        default="N/A",
    ),
    number(
        "Allowed Disruptions",
        "Calculated number of pods that may be disrupted at this time.",
        "status",
        "disruptionsAllowed",
    ),
    AGE,
)
