"""Environments: which variables expressions have in which place of the API.

source  Kubernetes documentation "Validation rules", "Validating Admission Policy", "Mutating Admission Policy",
"Dynamic Admission Control" (match conditions)
"""

from __future__ import annotations

from functools import cache

from cybernetes.cel import types
from cybernetes.cel.environment import Environment
from cybernetes.cel.types import ObjectType, Type, list_of, map_of, optional_of
from cybernetes.model.expressions import authorization
from cybernetes.model.expressions.functions import FUNCTIONS
from cybernetes.model.expressions.mutation import mutation_struct
from cybernetes.model.expressions.quantities import QUANTITY

_TEXT, _TEXTS = types.STRING, list_of(types.STRING)
_KIND = ObjectType("kubernetes.GroupVersionKind", {"group": _TEXT, "version": _TEXT, "kind": _TEXT})
_RESOURCE = ObjectType("kubernetes.GroupVersionResource", {"group": _TEXT, "version": _TEXT, "resource": _TEXT})
_USER = ObjectType(
    "kubernetes.UserInfo",
    {"username": _TEXT, "uid": _TEXT, "groups": _TEXTS, "extra": map_of(_TEXT, _TEXTS)},
)
REQUEST = ObjectType(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND,
        "resource": _RESOURCE,
        "subResource": _TEXT,
        "requestKind": _KIND,
        "requestResource": _RESOURCE,
        "requestSubResource": _TEXT,
        "name": _TEXT,
        "namespace": _TEXT,
        "operation": _TEXT,
        "userInfo": _USER,
        "dryRun": types.BOOL,
        "options": types.DYN,
    },
)
_CONDITION = ObjectType(
    "kubernetes.NamespaceCondition",
    {"status": _TEXT, "type": _TEXT, "lastTransitionTime": types.TIMESTAMP, "message": _TEXT, "reason": _TEXT},
)
_META = ObjectType(
    "kubernetes.NamespaceMetadata",
    {
        "name": _TEXT,
        "generateName": _TEXT,
        "namespace": _TEXT,
        "labels": map_of(_TEXT, _TEXT),
        "annotations": map_of(_TEXT, _TEXT),
        "UID": _TEXT,
        "creationTimestamp": types.TIMESTAMP,
        "deletionGracePeriodSeconds": types.INT,
        "deletionTimestamp": types.TIMESTAMP,
        "generation": types.INT,
        "resourceVersion": _TEXT,
        "finalizers": _TEXTS,
    },
    source_names={"UID": "uid"},
)
NAMESPACE = ObjectType(
    "kubernetes.Namespace",
    {
        "metadata": _META,
        "spec": ObjectType("kubernetes.NamespaceSpec", {"finalizers": _TEXTS}),
        "status": ObjectType("kubernetes.NamespaceStatus", {"conditions": list_of(_CONDITION), "phase": _TEXT}),
    },
)
VARIABLES = "variables"
# Of devices: characters of names and values, attributes and capacities of one.
DRIVER_MAX, IDENTIFIER_MAX, VALUE_MAX, ATTRIBUTES_MAX = 63, 32, 64, 32


@cache
def admission(*, params: bool = False, authorizer: bool = True) -> Environment:
    """Of conditions and validations. `params` where the policy has some, `authorizer` where rights may be asked."""
    return Environment(admission_variables(types.DYN, types.DYN if params else None, authorizer=authorizer), FUNCTIONS)


@cache
def mutation(*, params: bool = False) -> Environment:
    """Of mutations, which make objects and patches."""
    variables = admission_variables(types.DYN, types.DYN if params else None, authorizer=True)
    return Environment(variables, FUNCTIONS, mutation_struct)


def admission_variables(obj: Type, params: Type | None, *, authorizer: bool) -> dict[str, Type]:
    """obj: type of the object and of the old one."""
    variables: dict[str, Type] = {"object": obj, "oldObject": obj, "request": REQUEST, "namespaceObject": NAMESPACE}
    if params is not None:
        variables["params"] = params
    if authorizer:
        variables["authorizer"] = authorization.AUTHORIZER
        variables["authorizer.requestResource"] = authorization.RESOURCE_CHECK
    return variables


def with_variables(base: Environment, variables: dict[str, Type]) -> Environment:
    """With the policy's own variables, below `variables`."""
    return base.extended({VARIABLES: ObjectType("kubernetes.variables", variables)})


def rule(self_type: Type, *, optional_old: bool) -> Environment:
    """Of a rule of a custom resource."""
    old = optional_of(self_type) if optional_old else self_type
    return Environment({"self": self_type, "oldSelf": old}, FUNCTIONS)


def bounded(kind: str, size_max: int) -> Type:
    """A plain type whose values are no larger."""
    return Type(kind, kind, size_max=size_max)


@cache
def device() -> Environment:
    """Of selectors of devices."""
    name, identifier = bounded("string", DRIVER_MAX), bounded("string", IDENTIFIER_MAX)

    def by_domain(value: Type) -> Type:
        return map_of(name, map_of(identifier, value, ATTRIBUTES_MAX), ATTRIBUTES_MAX)

    found = ObjectType(
        "kubernetes.DRADevice",
        {
            "driver": name,
            "attributes": by_domain(bounded("dyn", VALUE_MAX)),
            "capacity": by_domain(QUANTITY),
            "allowMultipleAllocations": types.BOOL,
        },
    )
    return Environment({"device": found}, FUNCTIONS)
