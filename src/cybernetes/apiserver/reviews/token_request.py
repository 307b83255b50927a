"""TokenRequest: a token for a service account, bound to a pod, a node or a secret when asked.

source  Kubernetes API reference, TokenRequest
"""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver import body, respond
from cybernetes.apiserver.admit import admit, check
from cybernetes.apiserver.body import Shape
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.options import write_options
from cybernetes.auth.lister import Lister
from cybernetes.auth.tokens import Bound, Issuer, Reference, TokenTerms
from cybernetes.base import random
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import bad_request, conflict, not_found
from cybernetes.model import field
from cybernetes.model.field import FieldError, Path
from cybernetes.wire.http.message import Response

GROUP, KIND = "authentication.k8s.io", "TokenRequest"
DEFAULT_S = 3600
MINIMUM_S = 600
MAXIMUM_S = 1 << 32
# What kubelets ask for on behalf of pods that did not say how long; only those tokens are ever extended.
EXTENDED_ASKED_S = 3607
EXTENDED_S = 365 * 24 * 3600
ISSUED = "authentication.kubernetes.io/issued-credential-id"


async def request_token(core: Core, call: Call, issuer: Issuer, terms: TokenTerms) -> Response:
    from cybernetes.model.schema import compile as schema_compile

    options = write_options(call.request, "CreateOptions")
    node = schema_compile.node("io.k8s.api.authentication.v1.TokenRequest")
    asked = body.read(call, Shape(node, KIND, f"{GROUP}/v1"), options)
    spec = asked["spec"] = {"expirationSeconds": DEFAULT_S, **(asked.get("spec") or {})}
    name, namespace = call.info.name, call.info.namespace
    metadata = asked["metadata"]
    if metadata.get("name", name) != name:
        raise bad_request("name in URL does not match name in TokenRequest object")
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request("namespace in URL does not match namespace in TokenRequest object")
    errors = check_spec(spec)
    if errors:
        raise field.invalid_object(GROUP, KIND, "", errors)
    await core.consistent()
    account = core.lister.get("", "serviceaccounts", namespace, name)
    if account is None:
        raise not_found("", "serviceaccounts", name)
    account_uid = account["metadata"]["uid"]
    if metadata.get("uid", account_uid) != account_uid:
        why = f"the UID in the token request ({metadata['uid']}) does not match the UID of the service account"
        raise conflict("", "serviceaccounts", name, f"{why} ({account_uid})")
    metadata.update(name=name, namespace=namespace, creationTimestamp=rfc3339(core.clock.now()))
    await admit(core, call, "CREATE", asked, None, options)
    await check(core, call, "CREATE", asked, None, options)
    spec["audiences"] = spec.get("audiences") or list(issuer.audiences)
    bound = bind(spec.get("boundObjectRef"), namespace, name, core.lister)
    longest_s = terms.longest_s
    if spec["expirationSeconds"] > longest_s:
        call.warnings.append(
            f"requested expiration of {spec['expirationSeconds']} seconds shortened to {longest_s} seconds"
        )
        spec["expirationSeconds"] = longest_s
    lifetime_s = spec["expirationSeconds"]
    expires = rfc3339(core.clock.now() + lifetime_s)
    extended = terms.extend and _may_be_extended(spec, bound, issuer)
    jti = random.uid(core.random)
    token = issuer.issue(
        namespace,
        Reference(name, account_uid),
        bound,
        spec["audiences"],
        EXTENDED_S if extended else lifetime_s,
        warn_after_s=lifetime_s if extended else 0,
        jti=jti,
    )
    call.annotations[ISSUED] = f"JTI={jti}"
    return respond.plain(call, {**asked, "status": {"token": token, "expirationTimestamp": expires}}, 201)


def _may_be_extended(spec: Object, bound: Bound, issuer: Issuer) -> bool:
    """A pod's own token for the API server, that nobody chose a time for."""
    for_server = all(each in issuer.audiences for each in spec["audiences"])
    return spec["expirationSeconds"] == EXTENDED_ASKED_S and bound.pod is not None and for_server


def check_spec(spec: Object) -> list[FieldError]:
    seconds, path = spec["expirationSeconds"], Path("spec").child("expirationSeconds")
    if seconds < MINIMUM_S:
        return [field.invalid(path, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > MAXIMUM_S:
        return [field.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def bind(reference: Object | None, namespace: str, account: str, lister: Lister) -> Bound:
    """The objects that a token is bound to. Raises ApiError 400, 404, 409 when it can't be bound to that."""
    if not reference:
        return Bound()
    kind, name = reference.get("kind", ""), reference.get("name", "")
    if reference.get("apiVersion", "v1") != "v1" or kind not in ("Pod", "Node", "Secret"):
        api_version = reference.get("apiVersion", "")
        group, _, version = api_version.rpartition("/")
        raise bad_request(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
    plural = f"{kind.lower()}s"
    obj = lister.get("", plural, "" if kind == "Node" else namespace, name)
    if obj is None:
        raise not_found("", plural, name)
    if kind == "Pod" and obj["spec"].get("serviceAccountName") != account:
        raise bad_request(
            f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
        )
    uid = obj["metadata"]["uid"]
    if reference.get("uid", uid) != uid:
        why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record."
        raise conflict("", kind, name, f"{why} The object might have been deleted and then recreated")
    return _bound(kind, Reference(name, uid), obj, lister)


def _bound(kind: str, reference: Reference, obj: Object, lister: Lister) -> Bound:
    if kind != "Pod":
        return Bound(**{kind.lower(): reference})
    node_name = obj["spec"].get("nodeName", "")
    node: Any = lister.get("", "nodes", "", node_name) if node_name else None
    node_uid = node["metadata"]["uid"] if node else ""
    return Bound(pod=reference, node=Reference(node_name, node_uid) if node_name else None)
