"""Links of pages that come through a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cybernetes.apiserver.subresources import pages
from cybernetes.apiserver.subresources.proxying import through
from cybernetes.wire.http.message import Response

URL, PREFIX = "http://10.244.0.7:8080", "/api/v1/namespaces/shop/pods/web/proxy"


def shown(link: str) -> str:
    return through(link, URL, PREFIX)


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ("/login?a=b#c", f"{PREFIX}/login?a=b#c"),
        ("http://10.244.0.7:8080/x/", f"{PREFIX}/x/"),
        ("//10.244.0.7:8080/x", f"{PREFIX}/x"),
        (f"{PREFIX}/x", f"{PREFIX}/x"),
        ("x/y", "x/y"),
        ("#top", "#top"),
        ("https://example.com/x", "https://example.com/x"),
        ("javascript:void(0)", "javascript:void(0)"),
        ("http://[x/", "http://[x/"),
    ],
)
def test_links_to_the_pages_own_server_lead_through_the_proxy(link: str, wanted: str) -> None:
    assert shown(link) == wanted


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ('<a href="/rewriteme">test</a>', f'<a href="{PREFIX}/rewriteme">test</a>'),
        ("<A class=b HREF=/x>é</A>", f'<A class=b HREF="{PREFIX}/x">é</A>'),
        ("<img alt='/x' src='/x?a=1&amp;b=2'/>", f"<img alt='/x' src=\"{PREFIX}/x?a=1&amp;b=2\"/>"),
        ("<form\n action = '/x' >", f'<form\n action="{PREFIX}/x" >'),
        ('<!-- <a href="/x"> --><p title="<a href=/x>">', None),
        ('<script>"<a href=/x>"</script><p>/x</p> 1 < 2', None),
        ('<script src="/x">', f'<script src="{PREFIX}/x">'),
        ('<a href="x"><b href="/x"><a href="https://example.com/">', None),
        ('<a href="/x', None),
        ("<!-- <a href='/x'>", None),
    ],
)
def test_only_links_of_a_page_are_changed(page: str, wanted: str | None) -> None:
    assert pages.rewritten(page, shown) == (page if wanted is None else wanted)


@pytest.mark.parametrize("piece", ["<a ", "<!--", '<a "', "<script>", "<a href='", "<a a=", "<a  = "])
def test_a_long_page_that_ends_nothing_is_looked_through_once(piece: str) -> None:
    page = piece * (pages.PAGE_BYTES_MAX // len(piece))
    assert pages.rewritten(page, shown) == page


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def answered(kind: str, *pieces: bytes) -> bytes:
    async def read() -> bytes:
        answer = Response(200, [("Content-Type", kind)], chunks(*pieces))
        seen = (await pages.with_links(answer, shown)).body
        return seen if isinstance(seen, bytes) else b"".join([each async for each in seen])

    return asyncio.run(read())


def test_a_page_is_put_together_before_it_is_looked_through() -> None:
    page = (b"<a hr", b'ef="/x">\xff</a>')
    assert answered("text/html; charset=utf-8", *page) == f'<a href="{PREFIX}/x">'.encode() + b"\xff</a>"
    assert answered("text/plain", *page) == b"".join(page)


def test_a_page_that_is_too_long_passes_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_BYTES_MAX", 10)
    page = (b'<a href="/x">', b"more", b'<a href="/y">')
    assert answered("text/html", *page) == b"".join(page)


@pytest.mark.parametrize("letters", ["1" * 8000, " " * 8000, "b " * 4000])
def test_tags_full_of_letters_take_no_longer_than_others(letters: str) -> None:
    page = f"<a {letters}>" * 400
    assert pages.rewritten(page, str.upper) == page
