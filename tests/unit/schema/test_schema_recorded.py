"""Decoding and defaults against what the reference answered to thousands of changed manifests."""

from __future__ import annotations

from typing import Any

import orjson
import recorded_bodies as recorded

from cybernetes.base.errors import ApiError
from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.decode import decode
from cybernetes.model.schema.default import default

# What admission and strategies add is not this package's: its kinds and fields are left out of the comparison.
ADMITTED = ("v1/Pod/", "v1/Node/")
STRATEGY = {
    "v1/Service/svc-headless": ("selector", "clusterIP"),
    "v1/LimitRange/limits": ("metadata",),
}


def decoded(doc: dict[str, Any], change: dict[str, Any], validation: str = "Warn") -> dict[str, Any]:
    base = recorded.manifests()[change["base"]]
    node = schema.kind_node(base["apiVersion"], base["kind"])
    assert node is not None
    obj = decode(
        node,
        orjson.dumps(doc),
        "application/json",
        kind=base["kind"],
        api_version=base["apiVersion"],
        field_validation=validation,
    ).object
    default(node, obj)
    return obj


def test_every_decoding_error_is_answered_as_the_reference_answers() -> None:
    wrong: list[tuple[str, str]] = []
    cases = exact = 0
    for case in recorded.recorded("mutations"):
        change = case["request"]["mutate"]
        validation = case["request"]["query"].get("fieldValidation", "Warn")
        expects_error = case["answer"]["code"] == 400
        want = case["answer"]["body"]["message"] if expects_error else ""
        try:
            decoded(recorded.changed(change), change, validation)
            have = ""
        except ApiError as error:
            have = error.message
        if recorded.before_cause(have) != recorded.before_cause(want):
            wrong.append((want, have))
        cases += expects_error
        exact += expects_error and have == want
    print(f"decoding errors: {cases} recorded, {exact} equal to the last word")
    assert wrong == []
    assert cases > 1500
    assert exact / cases > 0.9


def test_defaults_differ_between_manifests_as_the_reference_says() -> None:
    plain: dict[str, Any] = {}
    equal = 0
    wrong = []
    for case in recorded.recorded("mutations"):
        change = case["request"]["mutate"]
        base = change["base"]
        if case["answer"]["code"] != 201 or base.startswith(ADMITTED):
            continue
        if change["op"] == "none":
            plain[base] = decoded(recorded.changed(change), change)
            continue
        if change["at"][0] in STRATEGY.get(base, ()) or change["at"][-1] in STRATEGY.get(base, ()):
            continue
        have = recorded.difference(plain[base], decoded(recorded.changed(change), change))
        if have == case["answer"]["diff"]:
            equal += 1
        elif "<" not in str(case["answer"]["diff"]).replace("<null>", ""):
            wrong.append((change, case["answer"]["diff"], have))
    print(f"defaults: {equal} differences equal")
    assert wrong == []
    assert equal > 900
