from __future__ import annotations

from typing import Any

from cybernetes.apiserver.crd.names import is_established, status_of


def definition(name: str, names: dict[str, Any], status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"group": "example.test", "names": names}, "status": status or {}}


NAMES = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList", "shortNames": ["th"]}


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in status["conditions"]}


def test_free_names_are_given_and_the_definition_is_established() -> None:
    made = definition("things.example.test", NAMES)
    status = status_of(made, [], 0.0)
    assert status["acceptedNames"] == NAMES
    assert conditions(status) == {
        "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
        "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
    }
    assert is_established({**made, "status": status})
    assert status_of({**made, "status": status}, [], 99.0) == status


def test_a_name_in_use_is_not_given() -> None:
    other = definition("other", {}, {"acceptedNames": {"plural": "others", "kind": "Thing", "shortNames": ["th"]}})
    status = status_of(definition("things.example.test", NAMES), [other], 0.0)
    assert status["acceptedNames"]["kind"] == ""
    assert "shortNames" not in status["acceptedNames"]
    assert status["acceptedNames"]["plural"] == "things"
    assert conditions(status)["NamesAccepted"] == ("False", "KindConflict", '"Thing" is already in use')
    assert conditions(status)["Established"] == ("False", "NotAccepted", "not all names are accepted")


def test_what_was_established_stays_so_when_a_new_short_name_is_taken() -> None:
    made = definition("things.example.test", NAMES)
    made["status"] = status_of(made, [], 0.0)
    made["spec"]["names"] = {**NAMES, "shortNames": ["th", "a", "b"]}
    other = definition("other", {}, {"acceptedNames": {"plural": "a", "singular": "b", "kind": "X"}})
    status = status_of(made, [other], 50.0)
    assert status["acceptedNames"]["shortNames"] == ["th"]
    assert conditions(status)["NamesAccepted"] == (
        "False",
        "ShortNamesConflict",
        '["a" is already in use, "b" is already in use]',
    )
    assert conditions(status)["Established"][0] == "True"
    moved = {each["type"]: each["lastTransitionTime"] for each in status["conditions"]}
    assert moved == {"NamesAccepted": "1970-01-01T00:00:50Z", "Established": "1970-01-01T00:00:00Z"}
