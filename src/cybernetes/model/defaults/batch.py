"""Jobs and cron jobs."""

from __future__ import annotations

from typing import Any

BATCH = "io.k8s.api.batch.v1."
BACKOFF = 6
UNLIMITED = 2**31 - 1


def job(obj: dict[str, Any]) -> None:
    spec = obj["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", UNLIMITED if "backoffLimitPerIndex" in spec else BACKOFF)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    labels = spec["template"]["metadata"].get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def cron_job(obj: dict[str, Any]) -> None:
    spec = obj["spec"]
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)


def condition_pattern(pattern: dict[str, Any]) -> None:
    if not pattern.get("status"):
        pattern["status"] = "True"


DEFAULTS = {
    BATCH + "Job": job,
    BATCH + "CronJob": cron_job,
    BATCH + "PodFailurePolicyOnPodConditionsPattern": condition_pattern,
}
