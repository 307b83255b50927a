"""What a failed pod means for its Job, and when enough has succeeded.

source  Kubernetes documentation "Jobs", Pod failure policy, Success policy
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from cybernetes.controllers.job import indexes
from cybernetes.controllers.job.objects import FailurePolicy, FailureRule, OnExitCodes, SuccessPolicy
from cybernetes.controllers.objects import ContainerStatus, Pod


class Verdict(msgspec.Struct, frozen=True):
    """action: Count, Ignore, FailIndex or FailJob. message: why, for FailJob."""

    action: str
    message: str = ""


COUNT = Verdict("Count")


def judge(policy: FailurePolicy | None, pod: Pod) -> Verdict:
    """By the first rule that matches."""
    for number, rule in enumerate(policy.rules if policy else ()):
        subject = _matches(rule, pod)
        if subject:
            return Verdict(rule.action, f"{subject} matching {rule.action} rule at index {number}")
    return COUNT


def _matches(rule: FailureRule, pod: Pod) -> str:
    """What matched, as the message begins; "" for nothing."""
    if rule.on_exit_codes is not None:
        for each in (*pod.status.container_statuses, *pod.status.init_container_statuses):
            if _code_matches(rule.on_exit_codes, each):
                code = each.state.terminated.exit_code if each.state.terminated else 0
                return f"Container {each.name} for pod {pod.metadata.key} failed with exit code {code}"
        return ""
    have = {(each.type, each.status) for each in pod.status.conditions}
    for wanted in rule.on_pod_conditions:
        if (wanted.type, wanted.status) in have:
            return f"Pod {pod.metadata.key} has condition {wanted.type}"
    return ""


def _code_matches(rule: OnExitCodes, status: ContainerStatus) -> bool:
    ended = status.state.terminated
    if ended is None or ended.exit_code == 0:
        return False
    if rule.container_name is not None and rule.container_name != status.name:
        return False
    return (ended.exit_code in rule.values) == (rule.operator == "In")


def satisfied(policy: SuccessPolicy | None, completed: Collection[int], completions: int) -> str:
    """The message of the first success rule that holds; "" when none does."""
    for number, rule in enumerate(policy.rules if policy else ()):
        wanted = indexes.parse(rule.succeeded_indexes, completions) if rule.succeeded_indexes else None
        counted = len(wanted & set(completed)) if wanted is not None else len(completed)
        needed = rule.succeeded_count if rule.succeeded_count is not None else len(wanted or ())
        if needed and counted >= needed:
            return f"Matched rules at index {number}"
    return ""
