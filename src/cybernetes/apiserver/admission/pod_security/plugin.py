"""Enforces and warns by the labels of the namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Step, Validating
from cybernetes.apiserver.admission.pod_security import levels
from cybernetes.apiserver.admission.pod_security.checks import Pod, described, violations
from cybernetes.apiserver.admission.pod_security.levels import OPEN, Level, Policy
from cybernetes.auth.lister import Lister
from cybernetes.model import field

Object = dict[str, Any]

# Where workloads have the template of their pods.
_TEMPLATES: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "podtemplates"): ("template",),
    ("", "replicationcontrollers"): ("spec", "template"),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
}
_POD_SUBRESOURCES = ("", "ephemeralcontainers", "resize")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
# Pods that a change of a namespace's level is tried on; more would make labelling a large namespace slow.
EXISTING_MAX = 3000


class PodSecurity(Validating):
    name = "PodSecurity"

    def __init__(self, lister: Lister) -> None:
        self._lister = lister
        # Only of namespaces that ask for anything.
        self._policies: dict[str, Policy] = {}
        lister.subscribe("", "namespaces", self._changed)

    def validator(self, place: Place) -> Step | None:
        if place.operation not in ("CREATE", "UPDATE"):
            return None
        key = place.group, place.plural
        if key == ("", "pods") and place.subresource in _POD_SUBRESOURCES:
            return self._pod
        if key == ("", "namespaces") and not place.subresource:
            return self._namespace
        path = _TEMPLATES.get(key)
        if path is None or place.subresource:
            return None

        def check_template(attributes: AdmissionAttributes) -> None:
            self._template(attributes, path)

        return check_template

    def _pod(self, attributes: AdmissionAttributes) -> None:
        policy = self._policies.get(attributes.namespace, OPEN)
        if policy.is_open or (attributes.old is not None and not _matters(attributes.new, attributes.old)):
            return
        pod = attributes.new
        attributes.annotations[f"{levels.PREFIX}enforce-policy"] = str(policy.enforce)
        refused = _judge(policy.enforce, pod["metadata"], pod["spec"])
        if refused:
            raise attributes.forbidden(f'violates PodSecurity "{policy.enforce}": {refused}')
        _advise(attributes, policy, pod["metadata"], pod["spec"])

    def _template(self, attributes: AdmissionAttributes, path: tuple[str, ...]) -> None:
        policy = self._policies.get(attributes.namespace, OPEN)
        if policy.is_open:
            return
        template: Any = attributes.new
        for step in path:
            template = (template or {}).get(step)
        if template and template.get("spec"):
            _advise(attributes, policy, template.get("metadata") or {}, template["spec"])

    def _namespace(self, attributes: AdmissionAttributes) -> None:
        new, old = _labels(attributes.new), _labels(attributes.old)
        policy, errors = levels.policy_of(new)
        before, errors_before = levels.policy_of(old)
        if errors and (attributes.operation == "CREATE" or len(errors) > len(errors_before) or new != old):
            raise field.invalid_object("", "Namespace", attributes.new["metadata"].get("name", ""), errors)
        if attributes.operation == "UPDATE" and _is_stricter(policy.enforce, before.enforce):
            attributes.warnings.extend(self._would_break(attributes.new["metadata"]["name"], policy.enforce))

    def _would_break(self, namespace: str, level: Level) -> Iterator[str]:
        """Warnings about pods that are there already and that the new level forbids."""
        groups: dict[str, list[str]] = {}
        owners: set[str] = set()
        for pod in self._lister.list("", "pods", namespace)[:EXISTING_MAX]:
            owner = next((o["uid"] for o in pod["metadata"].get("ownerReferences") or () if o.get("controller")), "")
            if owner and owner in owners:
                continue
            owners.add(owner)
            what = ", ".join(each.reason for each in _violations(level, pod["metadata"], pod["spec"]))
            if what:
                groups.setdefault(what, []).append(pod["metadata"]["name"])
        if groups:
            yield f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{level}"'
        for what, names in sorted(groups.items(), key=lambda item: item[1][0]):
            yield f"{_named(sorted(names))}: {what}"

    def _changed(self, old: Object | None, new: Object | None) -> None:
        name = (new or old or {})["metadata"]["name"]
        policy, _ = levels.policy_of(_labels(new))
        if policy.is_open:
            self._policies.pop(name, None)
        else:
            self._policies[name] = policy


def _labels(obj: Object | None) -> Object:
    labels = ((obj or {}).get("metadata") or {}).get("labels") or {}
    return {key: value for key, value in labels.items() if key.startswith(levels.PREFIX)}


def _violations(level: Level, metadata: Object, spec: Object) -> Iterable[Any]:
    return violations(level.name, Pod(metadata, spec, level.version))


def _judge(level: Level, metadata: Object, spec: Object) -> str:
    return described(_violations(level, metadata, spec))


def _advise(attributes: AdmissionAttributes, policy: Policy, metadata: Object, spec: Object) -> None:
    audited = _judge(policy.audit, metadata, spec)
    if audited:
        said = f'would violate PodSecurity "{policy.audit}": {audited}'
        attributes.annotations[f"{levels.PREFIX}audit-violations"] = said
    warned = audited if policy.warn == policy.audit else _judge(policy.warn, metadata, spec)
    if warned:
        attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {warned}')


def _matters(new: Object, old: Object) -> bool:
    """Of a running pod only images, ephemeral containers and some annotations can change; the rest was judged before."""
    if new["metadata"].get("annotations") != old["metadata"].get("annotations"):
        return True
    return any(_images(new["spec"], kind) != _images(old["spec"], kind) for kind in _CONTAINERS)


def _images(spec: Object, kind: str) -> list[tuple[str, str]]:
    return [(each["name"], each.get("image", "")) for each in spec.get(kind) or ()]


def _is_stricter(new: Level, old: Level) -> bool:
    if new.is_open or new == old:
        return False
    ranks = levels.LEVELS.index(new.name), levels.LEVELS.index(old.name)
    return ranks[0] > ranks[1] or (ranks[0] == ranks[1] and new.version > old.version)


def _named(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    others = len(names) - 1
    return f"{names[0]} (and {others} other {'pod' if others == 1 else 'pods'})"
