"""Deployments, replica sets, daemon sets, stateful sets."""

from __future__ import annotations

from typing import Any

APPS = "io.k8s.api.apps.v1."
QUARTER = "25%"
HISTORY = 10
PROGRESS_SECONDS = 600
CLAIM = {"kind": "PersistentVolumeClaim", "apiVersion": "v1"}


def deployment(spec: dict[str, Any]) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", HISTORY)
    spec.setdefault("progressDeadlineSeconds", PROGRESS_SECONDS)


def strategy(obj: dict[str, Any]) -> None:
    if obj.setdefault("type", "RollingUpdate") == "RollingUpdate":
        obj.setdefault("rollingUpdate", {})


def rolling_deployment(rolling: dict[str, Any]) -> None:
    rolling.setdefault("maxUnavailable", QUARTER)
    rolling.setdefault("maxSurge", QUARTER)


def replica_set(spec: dict[str, Any]) -> None:
    spec.setdefault("replicas", 1)


def daemon_set(spec: dict[str, Any]) -> None:
    spec.setdefault("revisionHistoryLimit", HISTORY)


def rolling_daemon_set(rolling: dict[str, Any]) -> None:
    rolling.setdefault("maxUnavailable", 1)
    rolling.setdefault("maxSurge", 0)


def rolling_stateful_set(rolling: dict[str, Any]) -> None:
    rolling.setdefault("partition", 0)


def claim_retention(policy: dict[str, Any]) -> None:
    policy.setdefault("whenDeleted", "Retain")
    policy.setdefault("whenScaled", "Retain")


def stateful_set(spec: dict[str, Any]) -> None:
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", HISTORY)
    for i, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        spec["volumeClaimTemplates"][i] = {**CLAIM, **claim}


DEFAULTS = {
    APPS + "DeploymentSpec": deployment,
    APPS + "DeploymentStrategy": strategy,
    APPS + "RollingUpdateDeployment": rolling_deployment,
    APPS + "ReplicaSetSpec": replica_set,
    APPS + "DaemonSetSpec": daemon_set,
    APPS + "DaemonSetUpdateStrategy": strategy,
    APPS + "RollingUpdateDaemonSet": rolling_daemon_set,
    APPS + "StatefulSetSpec": stateful_set,
    APPS + "StatefulSetUpdateStrategy": strategy,
    APPS + "RollingUpdateStatefulSetStrategy": rolling_stateful_set,
    APPS + "StatefulSetPersistentVolumeClaimRetentionPolicy": claim_retention,
}
