from __future__ import annotations

from typing import Any

import pytest
from cel_env import ENVIRONMENT, failure, value

from cybernetes.cel.values import Duration, UInt
from cybernetes.model.expressions import authorization
from cybernetes.model.expressions.authorization import Answer, Question
from cybernetes.model.expressions.functions import FUNCTIONS
from cybernetes.model.expressions.rules import RuleExpressions
from cybernetes.model.schema.custom.structural import Structural


@pytest.mark.parametrize(
    ("text", "result"),
    [
        # texts
        ("'abc'.charAt(1) + 'abc'.charAt(3)", "b"),
        ("'hello'.indexOf('l') + 'hello'.lastIndexOf('l')", 5),
        ("'hello'.indexOf('l', 3)", 3),
        ("'ÄB'.lowerAscii() + 'äb'.upperAscii()", "ÄbäB"),
        ("'a-b-c'.replace('-', '+', 1)", "a+b-c"),
        ("'abc'.replace('', '_')", "_a_b_c_"),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("'tacocat'.substring(4) + 'tacocat'.substring(0, 4)", "cattaco"),
        ("' \\t x \\u00a0'.trim()", "x"),
        ("['a', 'b'].join() + ['a', 'b'].join('-')", "aba-b"),
        ("'%s is %d, %.2f, %x, %b, %o, %e, %%'.format([dyn('a'), dyn(5), dyn(1.239), dyn(255), dyn(5), dyn(8), dyn(1234.5)])", "a is 5, 1.24, ff, 101, 10, 1.234500e+03, %"),
        ("'%s'.format([[dyn(1), dyn('a'), {'k': dyn(null), 'b': true}]])", "[1, a, {b: true, k: null}]"),
        ("'%s %s'.format([dyn(duration('1h')), timestamp('2026-01-01T00:00:00Z')])", "3600s 2026-01-01T00:00:00Z"),
        ("strings.quote('a\\n\"b\"')", '"a\\n\\"b\\""'),
        # lists and sets
        ("[1, 2, 2].isSorted() && !['b', 'a'].isSorted() && [].isSorted()", True),
        ("[1, 2].sum() + [4, 3].min() + [1, 5].max()", 11),
        ("[1.5, 2.0].sum()", 3.5),
        ("[1u, 2u].sum()", UInt(3)),
        ("[duration('1s'), duration('2s')].sum()", Duration(3 * 10**9)),
        ("[1, 2, 1].indexOf(1) + [1, 2, 1].lastIndexOf(1)", 2),
        ("[1, 2, 3, 4].slice(1, 3)", [2, 3]),
        ("[[1], dyn([dyn(2), [3]])].flatten()", [1, 2, [3]]),
        ("[[1], dyn([dyn(2), [3]])].flatten(2)", [1, 2, 3]),
        ("[1, 2, 1].distinct()", [1, 2]),
        ("[3, 1, 2].sort()", [1, 2, 3]),
        ("['bb', 'a'].sortBy(t, t.size())", ["a", "bb"]),
        ("lists.range(3).reverse()", [2, 1, 0]),
        ("sets.contains([1, 2], [1]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 1], [1])", True),
        # patterns
        ("'abc 123 45'.find('[0-9]+') + 'abc'.find('[0-9]+')", "123"),
        ("'a1b22c333'.findAll('[0-9]+')", ["1", "22", "333"]),
        ("'a1b22c333'.findAll('[0-9]+', 2)", ["1", "22"]),
        ("'abc'.matches('^[[:alpha:]]+$') && 'é'.matches('^\\\\pL$')", True),
        # URLs
        ("url('https://user@a.test:8080/x%20y/z?k=v&k=w#f').getHost()", "a.test:8080"),
        ("url('https://[::1]:8080/').getHostname() + url('https://a.test/').getPort()", "::1"),
        ("url('/a/path').getScheme() + url('https://a.test/a b').getEscapedPath()", "/a%20b"),
        ("url('https://a.test/?k=v&k=w').getQuery()", {"k": ["v", "w"]}),
        ("isURL('https://a.test') && !isURL('../relative') && !isURL('')", True),
        # addresses
        ("ip('127.0.0.1').isLoopback() && ip('::1').family() == 6", True),
        ("ip('10.0.0.1').isGlobalUnicast() && ip('fe80::1').isLinkLocalUnicast()", True),
        ("ip('0.0.0.0').isUnspecified() && ip('224.0.0.1').isLinkLocalMulticast()", True),
        ("isIP('10.0.0') || isIP('::ffff:1.2.3.4') || isIP('fe80::1%eth0')", False),
        ("ip.isCanonical('2001:DB8::ABCD')", False),
        ("string(ip('2001:db8::abcd')) + string(cidr('10.0.0.0/8'))", "2001:db8::abcd10.0.0.0/8"),
        ("cidr('10.0.0.0/8').containsIP('10.1.1.1') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))", True),
        ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))", True),
        ("cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.1.2.3/8').ip() == ip('10.1.2.3')", True),
        ("cidr('10.0.0.0/8').prefixLength()", 8),
        ("isCIDR('10.0.0.0') || isCIDR('10.0.0.0/33') || isCIDR('10.0.0.0/08')", False),
        # quantities
        ("quantity('1Gi').add(quantity('1Gi')) == quantity('2Gi') && quantity('1').sub(2).sign() == -1", True),
        ("quantity('1500m').isInteger() || quantity('1500m').isGreaterThan(quantity('2'))", False),
        ("quantity('2k').asInteger() + quantity('1k').compareTo(quantity('1000'))", 2000),
        ("quantity('1500m').asApproximateFloat()", 1.5),
        ("isQuantity('1Mi') && !isQuantity('1x')", True),
        # versions
        ("semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))", True),
        ("semver('1.2.3-alpha.1+build').major() + semver('1.2.3').minor() + semver('1.2.3').patch()", 6),
        ("isSemver('v1.0') || isSemver('1.02.3')", False),
        ("isSemver('v1.0', true) && semver('v01.01', true).compareTo(semver('1.1.0')) == 0", True),
        # formats
        ("format.dns1123Label().validate('my-name').hasValue()", False),
        ("format.dns1123Label().validate('Not_valid').value().size()", 1),
        ("format.named('uuid').value().validate('123').value()", ["does not match the UUID format"]),
        ("format.named('nothing').hasValue()", False),
        # others
        ("jsonpatch.escapeKey('k8s.io/my~label')", "k8s.io~1my~0label"),
        ("base64.decode(base64.encode(b'hello'))", b"hello"),
        ("math.greatest(dyn(1), 2.5, 3u)", UInt(3)),
        ("math.least([3, 1, 2]) + math.abs(-2)", 3),
        ("math.ceil(1.2) + math.floor(1.8) + math.round(-1.5) + math.trunc(-1.9)", 0.0),
        ("math.bitAnd(6, 3) + math.bitOr(1, 2) + math.bitXor(1, 3) + math.bitShiftLeft(1, 3)", 15),
    ],
)  # fmt: skip
def test_what_functions_give(text: str, result: Any) -> None:
    found = value(text)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'abc'.charAt(9)", "index out of range: 9"),
        ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
        ("[].min()", "min called on empty list"),
        ("[1].slice(0, 5)", "cannot slice(0, 5), list is length 1"),
        ("quantity('x')", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("quantity('1500m').asInteger()", "cannot convert value to integer"),
        ("url('../x')", 'URL parse error during conversion from string: parse "../x": invalid URI for request'),
        ("ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
        ("'%d'.format(['x'])", "error during formatting: decimal clause can only be used on integers, was given string"),
        ("'%s'.format([])", "index 0 out of range"),
        ("base64.decode('?')", "illegal base64 data at input byte 1"),
    ],
)  # fmt: skip
def test_what_functions_refuse(text: str, message: str) -> None:
    assert failure(text) == message


def test_lists_may_be_sets_or_maps() -> None:
    item = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}
    tags = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}
    ports = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": item}
    rules = [
        "self.a == self.b",
        "self.a + ['x', 'y'] == ['y', 'x', 'z']",
        "self.p == oldSelf.p",
        "(self.p + oldSelf.p).size() == 2",
        "self == oldSelf",
    ]
    schema = {"type": "object", "properties": {"a": tags, "b": tags, "p": ports}}
    level = RuleExpressions(Structural({**schema, "x-kubernetes-validations": [{"rule": each} for each in rules]}))
    u, v = {"name": "u", "n": 1}, {"name": "v", "n": 2}
    now = {"a": ["x", "z"], "b": ["z", "x"], "p": [u, v]}
    before = {"a": ["z", "x"], "b": ["z", "x"], "p": [v, u]}
    for each in level.rules:
        assert each.expression.program is not None, each.expression.error
        assert each.expression.program.evaluate({"self": now, "oldSelf": before})[0] is True, each.expression.text


class TestRights:
    def ask(self, question: Question) -> Answer:
        self.asked = question
        return Answer(allowed=question.verb == "get", reason="because")

    def result(self, text: str) -> Any:
        variables = {"authorizer": authorization.AUTHORIZER, "authorizer.requestResource": authorization.RESOURCE_CHECK}
        environment = type(ENVIRONMENT)(variables, FUNCTIONS)
        own = Question(group="apps", resource="deployments", name="web")
        values = {
            "authorizer": authorization.authorizer(self.ask),
            "authorizer.requestResource": authorization.request_resource(self.ask, own),
        }
        return environment.compile(text).evaluate(values)[0]

    def test_rights_may_be_asked_for(self) -> None:
        text = "authorizer.group('').resource('pods').subresource('log').namespace('shop').name('web').check('get').allowed()"
        assert self.result(text) is True
        assert self.asked == Question(verb="get", resource="pods", subresource="log", namespace="shop", name="web")
        assert self.result("authorizer.path('/healthz').check('post').reason()") == "because"
        assert self.asked.path == "/healthz"

    def test_of_others_and_of_the_request_itself(self) -> None:
        assert self.result(
            "authorizer.serviceAccount('shop', 'robot').group('').resource('pods').check('get').allowed()"
        )
        assert self.asked.service_account == ("shop", "robot")
        assert self.result("authorizer.requestResource.check('custom').allowed()") is False
        assert (self.asked.resource, self.asked.name, self.asked.verb) == ("deployments", "web", "custom")
        text = "authorizer.group('').resource('pods').fieldSelector('spec.nodeName=a').labelSelector('x in (y)').check('list').errored()"
        assert self.result(text) is False
        assert (self.asked.field_selector, self.asked.label_selector) == ("spec.nodeName=a", "x in (y)")
