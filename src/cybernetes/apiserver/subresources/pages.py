"""Pages of the other side of a proxy: their links lead through it, too.

enters   an answer, and how a link is to be shown
leaves   the same answer; where it is a page, with its links as shown, and everything else as it was
holds    time is linear in the page, whatever stands in it
source   HTML Living Standard, "Attributes": those that hold URLs
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

from cybernetes.wire.http.message import Response

Shown = Callable[[str], str]

# Pages that are longer pass as they are: a page is held until it is whole.
PAGE_BYTES_MAX = 4 << 20
# A tag that is longer is taken for text: what never ends must not be looked through again from each of its letters.
TAG_MAX = 8 << 10

_TAG = re.compile(r"""<(?P<name>[a-zA-Z][^\s/>]*)(?P<rest>(?:[^>"']|"[^"]*"|'[^']*')*+)>""")
# A name is looked for where one begins alone, not again from each of its letters.
_ATTRIBUTE = re.compile(r"""(?<![^\s"'<>/=])(?P<name>[^\s"'<>/=]++)\s*+=\s*+(?P<value>"[^"]*"|'[^']*'|[^\s"'=<>`]++)""")
_TEXT = frozenset(("script", "style", "textarea", "title", "noscript", "xmp", "iframe", "noembed", "noframes"))
_TAGS_WITH_URL = {
    "href": frozenset(("a", "area", "base", "link")),
    "src": frozenset(("audio", "embed", "frame", "iframe", "img", "input", "script", "source", "track", "video")),
    "action": frozenset(("form",)),
    "formaction": frozenset(("button", "input")),
    "cite": frozenset(("blockquote", "del", "ins", "q")),
    "background": frozenset(("body",)),
    "longdesc": frozenset(("frame", "iframe", "img")),
    "codebase": frozenset(("applet", "object")),
    "data": frozenset(("object",)),
    "poster": frozenset(("video",)),
    "manifest": frozenset(("html",)),
}


async def with_links(answer: Response, shown: Shown) -> Response:
    kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "")
    if kind.partition(";")[0].strip().lower() != "text/html" or answer.upgrade is not None:
        return answer
    if isinstance(answer.body, bytes):
        return _with_body(answer, answer.body, shown)
    # Not bytes: a page may come letter by letter.
    page, chunks = bytearray(), aiter(answer.body)
    async for chunk in chunks:
        page += chunk
        if len(page) > PAGE_BYTES_MAX:
            return msgspec.structs.replace(answer, body=_continued(bytes(page), chunks))
    return _with_body(answer, bytes(page), shown)


def _with_body(answer: Response, page: bytes, shown: Shown) -> Response:
    text = rewritten(page.decode(errors="surrogateescape"), shown)
    return msgspec.structs.replace(answer, body=text.encode(errors="surrogateescape"))


async def _continued(read: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield read
    async for chunk in chunks:
        yield chunk


def rewritten(page: str, shown: Shown) -> str:
    """The page with its links as shown."""
    parts, last = [], 0
    for tag in _tags(page):
        parts += [page[last : tag.start("rest")], _rest(tag, shown)]
        last = tag.end("rest")
    return "".join([*parts, page[last:]])


def _rest(tag: re.Match[str], shown: Shown) -> str:
    element = tag["name"].lower()

    def attribute(found: re.Match[str]) -> str:
        if element not in _TAGS_WITH_URL.get(found["name"].lower(), ()):
            return found[0]
        value = found["value"]
        link = html.unescape(value[1:-1] if value[0] in "\"'" else value)
        now = shown(link)
        return found[0] if now == link else f'{found["name"]}="{html.escape(now)}"'

    return _ATTRIBUTE.sub(attribute, tag["rest"])


def _tags(page: str) -> Iterator[re.Match[str]]:
    """The tags that open something, outside of comments and of elements whose content is text."""
    at = 0
    while (at := page.find("<", at)) >= 0:
        if page.startswith("<!--", at):
            at = _behind(page, "-->", at)
        elif (tag := _TAG.match(page, at, at + TAG_MAX)) is not None:
            yield tag
            name = tag["name"].lower()
            at = _end_of_text(page, name, tag.end()) if name in _TEXT else tag.end()
        else:
            at += TAG_MAX if page[at + 1 : at + 2].isalpha() else 1


def _behind(page: str, end: str, at: int) -> int:
    found = page.find(end, at)
    return len(page) if found < 0 else found + len(end)


def _end_of_text(page: str, name: str, at: int) -> int:
    found = re.compile(f"</{name}", re.IGNORECASE).search(page, at)
    return len(page) if found is None else found.end()
