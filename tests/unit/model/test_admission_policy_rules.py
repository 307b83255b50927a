"""What admission policies may say."""

from __future__ import annotations

from typing import Any

from cybernetes.model.validation.admission_policies import validate_policy

CONFIG_MAPS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["configmaps"],
    "operations": ["CREATE"],
    "scope": "*",
}
MATCHED = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}, "resourceRules": [CONFIG_MAPS]}


def told(**validation: Any) -> list[str]:
    spec = {"failurePolicy": "Fail", "matchConstraints": MATCHED, "validations": [validation]}
    found = validate_policy({"metadata": {"name": "p"}, "spec": spec}, mutating=False)
    return [f"{each.field.removeprefix('spec.validations[0].')}: {each.body}" for each in found]


def test_expressions_may_have_lines_and_messages_not() -> None:
    assert told(expression="object.a ==\n'b'\n") == []
    assert told(expression="true", message="on one line\n") == []
    broken = "message: Invalid value: {}: message must not contain line breaks"
    assert told(expression="true", message="a\nb") == [broken.format('"a\\nb"')]
    assert told(expression="true", message="a\rb") == [broken.format('"a\\rb"')]
    assert told(expression="true", message=" ") == [
        'message: Invalid value: " ": message must be non-empty if specified'
    ]
