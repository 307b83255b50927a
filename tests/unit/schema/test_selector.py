from __future__ import annotations

import pytest

from cybernetes.base.errors import ApiError
from cybernetes.model import selector

LABELS = {"app": "web", "n": "5", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,n=5", True),
        ("app!=web", False),
        ("other!=x", True),
        ("app in (api, web)", True),
        ("app notin (web)", False),
        ("other notin (web)", True),
        ("app", True),
        ("!app", False),
        ("!other", True),
        ("empty=", True),
        ("empty in (,x)", True),
        ("n>4", True),
        ("n<5", False),
        ("app>1", False),
    ],
)
def test_text_selectors(text: str, matches: bool) -> None:
    assert selector.matcher(selector.parse_labels(text))(LABELS) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        (
            "a>x",
            'unable to parse requirement: values[0]: Invalid value: "x": '
            "for 'Gt', 'Lt' operators, the value must be an integer",
        ),
    ],
)
def test_what_is_no_selector_is_told(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        selector.parse_labels(text)
    assert (caught.value.code, caught.value.message) == (400, message)


def test_keys_and_values_are_checked() -> None:
    with pytest.raises(ApiError, match='unable to parse requirement: <nil>: Invalid value: "-a": name part must'):
        selector.parse_labels("-a=1")
    with pytest.raises(ApiError, match=r'values\[0\]\[a\]: Invalid value: "-": a valid label must'):
        selector.parse_labels("a=-")


def test_rendered_text_means_the_same() -> None:
    parsed = selector.parse_labels("b notin (y,x),!c,a=1,d>3,e")
    assert selector.render(parsed) == "a in (1),b notin (x,y),!c,d>3,e"
    assert selector.parse_labels(selector.render(parsed)) == parsed


def test_selector_objects() -> None:
    expressions = [{"key": "n", "operator": "In", "values": ["5"]}, {"key": "x", "operator": "DoesNotExist"}]
    found = selector.from_object({"matchLabels": {"app": "web"}, "matchExpressions": expressions})
    assert selector.matcher(found)(LABELS)
    assert not selector.matcher(found)({**LABELS, "x": ""})
    assert selector.matcher(selector.from_object({}))(LABELS)
    assert not selector.matcher(selector.from_object(None))(LABELS)
    with pytest.raises(ValueError, match="not a valid label selector operator"):
        selector.from_object({"matchExpressions": [{"key": "a", "operator": "Near"}]})


def test_field_selectors() -> None:
    terms = selector.parse_fields(r"metadata.name=a\,b,spec.nodeName!=,status.phase==Running")
    assert [str(each) for each in terms] == [r"metadata.name=a\,b", "spec.nodeName!=", "status.phase=Running"]
    values = {"metadata.name": "a,b", "spec.nodeName": "n", "status.phase": "Running"}
    assert selector.fields_match(terms, values.__getitem__)
    assert not selector.fields_match(terms, {**values, "spec.nodeName": ""}.__getitem__)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bad", "invalid selector: 'bad'; can't understand 'bad'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ("a=\\x", "invalid field selector: invalid escape sequence: \\x"),
    ],
)
def test_what_is_no_field_selector_is_told(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        selector.parse_fields(text)
    assert caught.value.message == message


@pytest.mark.parametrize("text", ["a=", "a!=", "a in (,b)", "a notin (b,c)", "!a", "a", "a>1,b=x"])
def test_what_is_written_is_read_again(text: str) -> None:
    requirements = selector.parse_labels(text)
    assert selector.parse_labels(selector.render(requirements)) == requirements
