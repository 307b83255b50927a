"""Controller revisions: saved states of a workload's template.

source  Kubernetes, pkg/apis/apps/validation: ControllerRevision
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, required
from cybernetes.model.validation.meta import immutable, not_negative

Object = dict[str, Any]


def validate_revision(revision: Object) -> list[FieldError]:
    errors = not_negative(revision.get("revision", 0), Path("revision"))
    data = revision.get("data")
    if data is None:
        return [required(Path("data"), "data is mandatory"), *errors]
    if not isinstance(data, dict):
        return [required(Path("data"), "data must be a valid JSON object"), *errors]
    return errors


def validate_revision_update(revision: Object, old: Object) -> list[FieldError]:
    return validate_revision(revision) + immutable(revision.get("data"), old.get("data"), Path("data"))
