"""NamespaceLifecycle: nothing new where there is no namespace, or where it is going; some namespaces stay."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import CatchUp, Mutating, Step
from cybernetes.auth.lister import Lister
from cybernetes.base.errors import ApiError, Cause, not_found

Object = dict[str, Any]

IMMORTAL = ("default", "kube-system", "kube-public")
# May be asked about namespaces that do not exist.
_ACCESS_REVIEWS = ("localsubjectaccessreviews", "subjectaccessreviews", "selfsubjectaccessreviews")


class NamespaceLifecycle(Mutating):
    name = "NamespaceLifecycle"

    def __init__(self, lister: Lister, catch_up: CatchUp) -> None:
        self._catch_up = catch_up
        # name -> whether it is being terminated
        self._terminating: dict[str, bool] = {}
        lister.subscribe("", "namespaces", self._changed)

    def mutator(self, place: Place) -> Step | None:
        if (place.group, place.plural) == ("", "namespaces"):
            return self._keep if place.operation == "DELETE" and not place.subresource else None
        if place.operation not in ("CREATE", "UPDATE") or self._is_review(place):
            return None
        return self._admit

    def _is_review(self, place: Place) -> bool:
        return place.group == "authorization.k8s.io" and place.plural in _ACCESS_REVIEWS

    def _keep(self, attributes: AdmissionAttributes) -> None:
        if attributes.name in IMMORTAL:
            raise attributes.forbidden("this namespace may not be deleted")

    def _admit(self, attributes: AdmissionAttributes) -> Any:
        if not attributes.namespace:
            return None
        terminating = self._terminating.get(attributes.namespace)
        if terminating is None:
            return self._admit_late(attributes)
        return self._check(attributes, terminating)

    async def _admit_late(self, attributes: AdmissionAttributes) -> None:
        """The namespace may have been made a moment ago, by a request that was answered already."""
        await self._catch_up()
        terminating = self._terminating.get(attributes.namespace)
        if terminating is None:
            raise not_found("", "namespaces", attributes.namespace)
        self._check(attributes, terminating)

    def _check(self, attributes: AdmissionAttributes, terminating: bool) -> None:
        if terminating and attributes.operation == "CREATE":
            raise _being_terminated(attributes)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            phase = (new.get("status") or {}).get("phase")
            self._terminating[new["metadata"]["name"]] = phase == "Terminating"
        elif old is not None:
            self._terminating.pop(old["metadata"]["name"], None)


def _being_terminated(attributes: AdmissionAttributes) -> ApiError:
    namespace = attributes.namespace
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = attributes.forbidden(why)
    cause = Cause.of("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
    error.details = {**(error.details or {}), "causes": [cause]}
    return error
