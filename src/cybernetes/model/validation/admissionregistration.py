"""Rules of webhook configurations, and of what they share with admission policies: rules, conditions, expressions.

source  Kubernetes, pkg/apis/admissionregistration/validation
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cybernetes.cel.environment import Environment
from cybernetes.cel.errors import CelError
from cybernetes.model.expressions import places
from cybernetes.model.field import FieldError, Path, duplicate, invalid, not_supported, required, too_many
from cybernetes.model.validation import names
from cybernetes.model.validation.selectors import validate_label_selector

Object = dict[str, Any]
POLICIES = ("Fail", "Ignore")
MATCHES = ("Equivalent", "Exact")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
SIDE_EFFECTS = ("None", "NoneOnDryRun")
REVIEW_VERSIONS = ("v1", "v1beta1")
TIMEOUT_MAX_S = 30
CONDITIONS_MAX = 64
_HTTPS = "desired format: https://host[/path]"


def validate_webhooks(configuration: Object, *, mutating: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, each in enumerate(configuration.get("webhooks") or ()):
        path = Path("webhooks").index(i)
        errors += _webhook(each, path, mutating=mutating)
        if each["name"] and each["name"] in seen:
            errors.append(duplicate(path.child("name"), each["name"]))
        seen.add(each["name"])
    return errors


def _webhook(hook: Object, path: Path, *, mutating: bool) -> list[FieldError]:
    errors = _qualified_domain(hook["name"], path.child("name"))
    for i, each in enumerate(hook.get("rules") or ()):
        errors += rule(each, path.child("rules").index(i))
    for name, allowed in (("failurePolicy", POLICIES), ("matchPolicy", MATCHES)):
        errors += one_of(hook.get(name), allowed, path.child(name))
    effects = hook.get("sideEffects")
    if effects is None:
        errors.append(required(path.child("sideEffects"), f"must specify one of {', '.join(SIDE_EFFECTS)}"))
    else:
        errors += one_of(effects, SIDE_EFFECTS, path.child("sideEffects"))
    timeout = hook.get("timeoutSeconds")
    if timeout is not None and not 1 <= timeout <= TIMEOUT_MAX_S:
        detail = f"the timeout value must be between 1 and {TIMEOUT_MAX_S} seconds"
        errors.append(invalid(path.child("timeoutSeconds"), timeout, detail))
    for name in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(hook.get(name), path.child(name))
    if mutating:
        errors += one_of(hook.get("reinvocationPolicy"), ("IfNeeded", "Never"), path.child("reinvocationPolicy"))
    errors += _client(hook["clientConfig"], path.child("clientConfig"))
    errors += _review_versions(hook.get("admissionReviewVersions") or [], path.child("admissionReviewVersions"))
    return errors + conditions(hook.get("matchConditions") or [], path.child("matchConditions"), places.admission())


def _qualified_domain(name: str, path: Path) -> list[FieldError]:
    if not name:
        return [required(path)]
    problems = names.dns_subdomain(name)
    if problems:
        return [invalid(path, name, each) for each in problems]
    if name.count(".") < 2:
        return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def one_of(value: str | None, allowed: Sequence[str], path: Path) -> list[FieldError]:
    return [] if value is None or value in allowed else [not_supported(path, value, allowed)]


def _client(client: Object, path: Path) -> list[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    return _url(url, path.child("url")) if url is not None else _service(client["service"], path.child("service"))


def _url(url: str, path: Path) -> list[FieldError]:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}; {_HTTPS}")]
    errors = []
    if parts.scheme != "https":
        errors.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme; {_HTTPS}"))
    if not parts.netloc:
        errors.append(invalid(path, parts.netloc, f"host must be specified; {_HTTPS}"))
    if parts.username is not None:
        errors.append(invalid(path, parts.netloc.rpartition("@")[0], "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return errors


def _service(service: Object, path: Path) -> list[FieldError]:
    # The reference tells of one as the other.
    swapped = (("name", "namespace"), ("namespace", "name"))
    errors = [required(path.child(told)) for told, missing in swapped if not service[missing]]
    port = service.get("port")
    problems = names.port_number(port) if port is not None else []
    if problems:
        errors.append(invalid(path.child("port"), port, "port is not valid: " + ", ".join(problems)))
    text = service.get("path")
    return errors if text is None else errors + _service_path(text, path.child("path"))


def _service_path(text: str, path: Path) -> list[FieldError]:
    if text == "/" or not text:
        return []
    if text == "//":
        return [invalid(path, text, "segment[0] may not be empty")]
    errors = []
    if not text.startswith("/"):
        errors.append(invalid(path, text, "must start with a '/'"))
    for i, segment in enumerate(text[1:].removesuffix("/").split("/")):
        if not segment:
            errors.append(invalid(path, text, f"segment[{i}] may not be empty"))
            continue
        errors += [invalid(path, text, f"segment[{i}]: {each}") for each in names.dns_subdomain(segment)]
    return errors


def _review_versions(versions: list[str], path: Path) -> list[FieldError]:
    if not versions:
        return [required(path, f"must specify one of {', '.join(REVIEW_VERSIONS)}")]
    errors = []
    for i, each in enumerate(versions):
        if each in versions[:i]:
            errors.append(invalid(path.index(i), each, "duplicate version"))
        errors += [invalid(path.index(i), each, problem) for problem in names.dns_1035_label(each)]
    if not any(each in REVIEW_VERSIONS for each in versions):
        errors.append(invalid(path, versions, f"must include at least one of {', '.join(REVIEW_VERSIONS)}"))
    return errors


def rule(each: Object, path: Path, operations: Sequence[str] = OPERATIONS) -> list[FieldError]:
    """One rule with operations: which requests it is about."""
    errors = []
    asked = each.get("operations") or []
    if not asked:
        errors.append(required(path.child("operations")))
    elif len(asked) > 1 and "*" in asked:
        detail = "if '*' is present, must not specify other operations"
        errors.append(invalid(path.child("operations"), asked, detail))
    for i, one in enumerate(asked):
        errors += one_of(one, operations, path.child("operations").index(i))
    for name, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        listed = each.get(name) or []
        if not listed:
            errors.append(required(path.child(name)))
        if len(listed) > 1 and "*" in listed:
            detail = f"if '*' is present, must not specify other {what}"
            errors.append(invalid(path.child(name), listed, detail))
        if name == "apiVersions":
            errors += [required(path.child(name).index(i)) for i, one in enumerate(listed) if not one]
    errors += _resources(each.get("resources") or [], path.child("resources"))
    return errors + one_of(each.get("scope"), SCOPES, path.child("scope"))


def _resources(resources: list[str], path: Path) -> list[FieldError]:
    if not resources:
        return [required(path)]
    errors: list[FieldError] = []
    whole = {each.split("/")[0] for each in resources if each.endswith("/*")}
    subs = {each.split("/", 1)[1] for each in resources if each.startswith("*/") and each != "*/*"}
    for i, each in enumerate(resources):
        if not each:
            errors.append(required(path.index(i)))
            continue
        name, slash, sub = each.partition("/")
        if slash and sub != "*" and name in whole:
            detail = f"if '{name}/*' is present, must not specify {each}"
            errors.append(invalid(path.index(i), each, detail))
        if slash and name != "*" and sub in subs:
            detail = f"if '*/{sub}' is present, must not specify {each}"
            errors.append(invalid(path.index(i), each, detail))
    if "*/*" in resources and len(resources) > 1:
        errors.append(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and any("/" not in each and each != "*" for each in resources):
        detail = "if '*' is present, must not specify other resources without subresources"
        errors.append(invalid(path, resources, detail))
    return errors


def conditions(listed: list[Object], path: Path, environment: Environment) -> list[FieldError]:
    errors: list[FieldError] = []
    if len(listed) > CONDITIONS_MAX:
        return [too_many(path, len(listed), CONDITIONS_MAX)]
    seen: set[str] = set()
    for i, each in enumerate(listed):
        where = path.index(i)
        expression, name = each["expression"].strip(), each["name"]
        if not expression:
            errors.append(required(where.child("expression")))
        else:
            errors += gives(each["expression"], where.child("expression"), environment, "bool")
        if not name:
            errors.append(required(where.child("name")))
        else:
            errors += [invalid(where.child("name"), name, problem) for problem in names.qualified_name(name)]
            if name in seen:
                errors.append(duplicate(where.child("name"), name))
        seen.add(name)
    return errors


def compiles(text: str, path: Path, environment: Environment) -> list[FieldError]:
    try:
        environment.compile(text)
    except CelError as error:
        return [invalid(path, text, f"compilation failed: {error}")]
    return []


def gives(text: str, path: Path, environment: Environment, *wanted: str) -> list[FieldError]:
    """Whether an expression compiles, and gives a value of one of these types."""
    wrong = compiles(text, path, environment)
    if wrong:
        return wrong
    found = str(environment.compile(text).type)
    if found in wanted:
        return []
    shown = wanted[0] if len(wanted) == 1 else f"one of [{' '.join(wanted)}]"
    return [invalid(path, text, f"must evaluate to {shown} but got {found}")]
