"""Tokens to a tree, with macros expanded.

Operators bind as in cel-spec; chains of `&&` and of `||` become balanced trees, so that long ones stay shallow.

source  cel-spec langdef.md "Syntax"; the words of errors are those of the reference's generated parser
"""

from __future__ import annotations

from collections.abc import Mapping

from cybernetes.cel.errors import CompileError, Issue
from cybernetes.cel.grammar import LITERALS, RESERVED, START, expecting
from cybernetes.cel.lexer import Token, tokens
from cybernetes.cel.literals import literal
from cybernetes.cel.macros import MACROS, Expand, MacroError
from cybernetes.cel.syntax import Call, Entry, Ident, ListNode, Literal, MapNode, Node, Select, Struct

SIZE_MAX = 100_000
DEPTH_MAX = 250
_NAMES = ("IDENTIFIER", "ESC_IDENTIFIER")
_RELATIONS = {"<": "_<_", "<=": "_<=_", ">=": "_>=_", ">": "_>_", "==": "_==_", "!=": "_!=_", "in": "@in"}
_SUMS = {"+": "_+_", "-": "_-_"}
_PRODUCTS = {"*": "_*_", "/": "_/_", "%": "_%_"}
# How strongly each binds, and its function.
_OPERATORS = {
    kind: (strength, function)
    for strength, functions in enumerate((_RELATIONS, _SUMS, _PRODUCTS), start=1)
    for kind, function in functions.items()
}


class _Stop(Exception):
    """A syntax error was told; what comes after it can't be understood."""


def parse(text: str, macros: Mapping[str, Expand] = MACROS) -> Node:
    """The tree of an expression. Raises CompileError."""
    if len(text) > SIZE_MAX:
        detail = f"expression code point size exceeds limit: size: {len(text)}, limit {SIZE_MAX}"
        raise CompileError(text, [Issue(0, detail)])
    parser = _Parser(text, macros)
    try:
        tree = parser.whole()
    except _Stop:
        tree = None
    except RecursionError:
        tree = None
        parser.issues.append(Issue(0, f"expression recursion limit exceeded: {DEPTH_MAX}"))
    if parser.issues or tree is None:
        raise CompileError(text, parser.issues)
    return tree


class _Parser:
    def __init__(self, text: str, macros: Mapping[str, Expand]) -> None:
        self.issues: list[Issue] = []
        self._tokens = tokens(text, self.issues)
        self._macros = macros
        self._i = 0
        self._depth = 0
        self._now = self._tokens[0]

    def whole(self) -> Node:
        tree = self._expression()
        if self._now.kind != "<EOF>":
            raise self._unexpected("<EOF>")
        return tree

    # Ternary, lowest precedence.
    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._fail(self._now.at, f"expression recursion limit exceeded: {DEPTH_MAX}")
        node = self._logic("||", "_||_")
        if self._now.kind == "?":
            at = self._take().at
            chosen = self._logic("||", "_||_")
            self._expect(":", self._now.kind in START)
            node = Call(at, "_?_:_", [node, chosen, self._expression()])
        self._depth -= 1
        return node

    def _logic(self, operator: str, function: str) -> Node:
        node = self._relation() if operator == "&&" else self._logic("&&", "_&&_")
        if self._now.kind != operator:
            return node
        terms, places = [node], []
        while self._now.kind == operator:
            places.append(self._take().at)
            terms.append(self._relation() if operator == "&&" else self._logic("&&", "_&&_"))
        return _balanced(function, terms, places, 0, len(places) - 1)

    def _relation(self, weakest: int = 1) -> Node:
        """Operators of at least this strength; those of one strength from the left: `a - b - c` is `(a - b) - c`."""
        node = self._unary()
        for _ in range(DEPTH_MAX):
            strength, function = _OPERATORS.get(self._now.kind, (0, ""))
            if strength < weakest:
                return node
            at = self._take().at
            node = Call(at, function, [node, self._relation(strength + 1)])
        raise self._fail(self._now.at, f"expression recursion limit exceeded: {DEPTH_MAX}")

    def _unary(self) -> Node:
        kind = self._now.kind
        if kind not in ("!", "-"):
            return self._member()
        if kind == "-" and self._tokens[self._i + 1].kind in ("NUM_INT", "NUM_FLOAT"):
            return self._member()
        at, count = self._now.at, 0
        while self._now.kind == kind and not (kind == "-" and count and self._is_negative_number()):
            self._take()
            count += 1
        node = self._member()
        return node if count % 2 == 0 else Call(at, "!_" if kind == "!" else "-_", [node])

    def _is_negative_number(self) -> bool:
        return self._tokens[self._i + 1].kind in ("NUM_INT", "NUM_FLOAT")

    def _member(self) -> Node:
        node = self._primary()
        for _ in range(DEPTH_MAX):
            kind = self._now.kind
            if kind == ".":
                node = self._select(node)
            elif kind == "[":
                node = self._index(node)
            else:
                return node
        raise self._fail(self._now.at, f"expression recursion limit exceeded: {DEPTH_MAX}")

    def _select(self, node: Node) -> Node:
        dot = self._take()
        optional = self._now.kind == "?"
        if optional:
            self._take()
        name = self._now
        if name.kind not in _NAMES:
            shown = "" if name.kind == "<EOF>" else name.text
            raise self._fail(name.at, f"Syntax error: no viable alternative at input '.{shown}'")
        self._take()
        field = _unquoted(name)
        if optional:
            return Call(dot.at, "_?._", [node, Literal(name.at, field)])
        if self._now.kind == "(" and name.kind == "IDENTIFIER":
            at = self._take().at
            return self._call(at, field, self._arguments(), node)
        return Select(dot.at, node, field)

    def _index(self, node: Node) -> Node:
        at = self._take().at
        optional = self._now.kind == "?"
        if optional:
            self._take()
        elif self._now.kind not in START:
            raise self._unexpected(*START, "?")
        index = self._expression()
        self._expect("]", self._may_follow())
        return Call(at, "_[?_]" if optional else "_[_]", [node, index])

    def _primary(self) -> Node:
        now = self._now
        kind = now.kind
        if kind == "IDENTIFIER" or (kind == "." and self._tokens[self._i + 1].kind == "IDENTIFIER"):
            return self._identifier()
        if kind in LITERALS or kind == "-":
            return self._literal()
        if kind == "(":
            self._take()
            node = self._expression()
            self._expect(")", self._may_follow())
            return node
        if kind == "[":
            return self._list()
        if kind == "{":
            return self._map()
        raise self._unexpected(*START)

    def _literal(self) -> Node:
        sign = self._take() if self._now.kind == "-" else None
        if sign is not None and self._now.kind not in ("NUM_INT", "NUM_FLOAT"):
            raise self._unexpected(*START)
        token = self._take()
        try:
            value = literal(token.kind, ("-" if sign else "") + token.text)
        except ValueError as wrong:
            raise self._fail(token.at if sign is None else sign.at, str(wrong)) from wrong
        return Literal(token.at if sign is None else sign.at, value)

    def _identifier(self) -> Node:
        dotted = self._now.kind == "."
        first = self._take()
        token = self._take() if dotted else first
        name = token.text
        if name in RESERVED:
            raise self._fail(first.at, f"reserved identifier: {name}")
        shown = f".{name}" if dotted else name
        if self._now.kind == "(":
            at = self._take().at
            return self._call(at, shown, self._arguments(), None)
        if self._now.kind in ("{", "."):
            struct = self._struct(shown)
            if struct is not None:
                return struct
        return Ident(first.at, shown)

    def _struct(self, name: str) -> Node | None:
        """A.B{…}, where the next tokens are that."""
        i, all_ = self._i, self._tokens
        while all_[i].kind == "." and all_[i + 1].kind == "IDENTIFIER":
            name += f".{all_[i + 1].text}"
            i += 2
        if all_[i].kind != "{":
            return None
        self._i, self._now = i, all_[i]
        at = self._take().at
        entries: list[Entry] = []
        while self._now.kind != "}":
            optional = self._now.kind == "?"
            if optional:
                self._take()
            field = self._now
            if field.kind not in _NAMES:
                raise self._unexpected("}", ",", "?", *_NAMES)
            self._take()
            colon = self._expect(":", self._now.kind in START)
            entries.append(Entry(colon.at, _unquoted(field), self._expression(), optional=optional))
            if not self._more("}"):
                break
        self._take()
        return Struct(at, name, entries)

    def _list(self) -> Node:
        at = self._take().at
        items: list[Node] = []
        optional = set()
        while self._now.kind != "]":
            if self._now.kind == "?":
                self._take()
                optional.add(len(items))
            elif self._now.kind == "," and not items:
                self._take()
                break
            items.append(self._expression())
            if not self._more("]"):
                break
        if self._now.kind != "]":
            raise self._unexpected("]")
        self._take()
        return ListNode(at, items, frozenset(optional))

    def _map(self) -> Node:
        at = self._take().at
        entries: list[Entry] = []
        while self._now.kind != "}":
            optional = self._now.kind == "?"
            if optional:
                self._take()
            elif self._now.kind == "," and not entries:
                self._take()
                break
            key = self._expression()
            colon = self._expect(":", self._now.kind in START)
            entries.append(Entry(colon.at, key, self._expression(), optional=optional))
            if not self._more("}"):
                break
        if self._now.kind != "}":
            raise self._unexpected("}")
        self._take()
        return MapNode(at, entries)

    def _more(self, closing: str) -> bool:
        """Whether another entry may come; a comma before the end is allowed."""
        if self._now.kind == ",":
            self._take()
            return True
        if self._now.kind != closing:
            raise self._unexpected(closing, ",")
        return False

    def _arguments(self) -> list[Node]:
        if self._now.kind == ")":
            self._take()
            return []
        if self._now.kind not in START:
            raise self._unexpected(*START, ")")
        arguments = [self._expression()]
        while self._now.kind == ",":
            self._take()
            arguments.append(self._expression())
        self._expect(")", self._may_follow())
        return arguments

    def _call(self, at: int, name: str, arguments: list[Node], target: Node | None) -> Node:
        plain = name.removeprefix(".") if target is None else name
        expand = self._macros.get(f"{plain}:{len(arguments)}:{'global' if target is None else 'member'}")
        if expand is not None:
            try:
                expanded = expand(at, target, arguments)
            except MacroError as wrong:
                self.issues.append(Issue(wrong.at, str(wrong)))
                return Literal(at, None)
            if expanded is not None:
                return expanded
        return Call(at, name, arguments, target)

    def _take(self) -> Token:
        token = self._now
        self._i += 1
        self._now = self._tokens[self._i] if self._i < len(self._tokens) else token
        return token

    def _expect(self, kind: str, may_be_missing: bool) -> Token:
        """may_be_missing: whether the next token could stand behind one of this kind."""
        if self._now.kind == kind:
            return self._take()
        if may_be_missing and self._after() != kind:
            raise self._fail(self._now.at, f"Syntax error: missing '{kind}' at '{self._now.text}'")
        raise self._unexpected(kind)

    def _may_follow(self) -> bool:
        """Whether the token can come after a whole value."""
        return self._now.kind in ("<EOF>", "]", "}", ",", "?", ":", "&&", "||", "+", "*", "/", "%", *_RELATIONS)

    def _after(self) -> str:
        return self._tokens[min(self._i + 1, len(self._tokens) - 1)].kind

    def _unexpected(self, *wanted: str) -> _Stop:
        word = "extraneous" if self._after() in wanted and self._now.kind != "<EOF>" else "mismatched"
        return self._fail(self._now.at, f"Syntax error: {word} input '{self._now.text}' expecting {expecting(wanted)}")

    def _fail(self, at: int, message: str) -> _Stop:
        self.issues.append(Issue(at, message))
        return _Stop()


def _balanced(function: str, terms: list[Node], places: list[int], low: int, high: int) -> Node:
    middle = (low + high + 1) // 2
    left = terms[middle] if middle == low else _balanced(function, terms, places, low, middle - 1)
    right = terms[middle + 1] if middle == high else _balanced(function, terms, places, middle + 1, high)
    return Call(places[middle], function, [left, right])


def _unquoted(token: Token) -> str:
    return token.text.strip("`") if token.kind == "ESC_IDENTIFIER" else token.text
