"""What a found object lacks of the one that should be there. Pure."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.bootstrap import policy
from cybernetes.auth.rules import missing, parse, parse_all
from cybernetes.model import fairness

Object = dict[str, Any]


def role(found: Object, wanted: Object) -> Object | None:
    """The role with the permissions, labels and annotations that it lacks; None when it lacks none, or is kept so."""
    if not _updates_itself(found, policy.AUTOUPDATE):
        return None
    new = {**found, "metadata": _merged_metadata(found["metadata"], wanted["metadata"])}
    if "aggregationRule" in wanted:
        new["aggregationRule"] = _selectors(found, wanted)
    else:
        rules = found.get("rules") or []
        # Nearly always all are there word for word; only for others permissions are compared.
        unlike = [each for each in wanted["rules"] or () if each not in rules]
        lacking = [each for each in unlike if missing(parse_all(found), [parse(each)])]
        if lacking:
            new["rules"] = [*rules, *lacking]
    return None if new == found else new


def binding(found: Object, wanted: Object) -> Object | None:
    """The binding with the subjects that it lacks; None when it lacks none, or is kept so."""
    if not _updates_itself(found, policy.AUTOUPDATE):
        return None
    new = {**found, "metadata": _merged_metadata(found["metadata"], wanted["metadata"])}
    subjects = found.get("subjects") or []
    lacking = [each for each in wanted.get("subjects", ()) if each not in subjects]
    if lacking:
        new["subjects"] = [*subjects, *lacking]
    return None if new == found else new


def must_replace(found: Object, wanted: Object) -> bool:
    """Whether a binding is to another role: that can't be updated, only made anew."""
    return _updates_itself(found, policy.AUTOUPDATE) and bool(found["roleRef"] != wanted["roleRef"])


def fairness_object(found: Object, wanted: Object) -> Object | None:
    """The flow control object with the spec it should have; None when it has it or is the administrator's."""
    name = wanted["metadata"]["name"]
    if name not in fairness.MANDATORY and not _updates_itself(found, fairness.AUTOUPDATE):
        return None
    if _holds(found["spec"], wanted["spec"]):
        return None
    return {**found, "spec": wanted["spec"]}


def second_range(found: Object, wanted: Object) -> Object | None:
    """The ServiceCIDR with the range of the second family, when the cluster got one; other changes are forbidden."""
    had, has = found["spec"]["cidrs"], wanted["spec"]["cidrs"]
    return {**found, "spec": wanted["spec"]} if len(had) == 1 and len(has) == 2 and has[:1] == had else None


def fields(found: Object, wanted: Object) -> Object | None:
    """The object with `wanted`'s fields, for objects that are ours alone; None when it has them."""
    if _holds(found, wanted):
        return None
    metadata = {**found["metadata"]}
    metadata["labels"] = {**(metadata.get("labels") or {}), **wanted["metadata"].get("labels", {})}
    return {**found, **wanted, "metadata": metadata}


def _updates_itself(found: Object, annotation: str) -> bool:
    return bool((found["metadata"].get("annotations") or {}).get(annotation) != "false")


def _merged_metadata(found: Object, wanted: Object) -> Object:
    merged = {part: {**wanted.get(part, {}), **(found.get(part) or {})} for part in ("labels", "annotations")}
    return {**found, **{part: values for part, values in merged.items() if values}}


def _selectors(found: Object, wanted: Object) -> Object:
    has = list((found.get("aggregationRule") or {}).get("clusterRoleSelectors") or ())
    has += [each for each in wanted["aggregationRule"]["clusterRoleSelectors"] if each not in has]
    return {"clusterRoleSelectors": has}


def _holds(found: Any, wanted: Any) -> bool:
    """Whether `found` has all that `wanted` says; it may say more, defaults for instance."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_holds(a, b) for a, b in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)
