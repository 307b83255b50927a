"""Lists: one page of what is cached, or of the store's history where an older version is asked for.

source  Kubernetes API Concepts, "Resource versions", "Retrieving large results sets in chunks"
"""

from __future__ import annotations

import base64
import binascii
import posixpath
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
import orjson

from cybernetes.apiserver import respond
from cybernetes.apiserver.cache.selection import Selection
from cybernetes.apiserver.cache.state import Item, ResourceState, item_of
from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.handlers.revisions import check_not_future, expired, too_large
from cybernetes.apiserver.options import ListOptions, list_options
from cybernetes.apiserver.render import ListMeta, render_list
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, bad_request
from cybernetes.model.schema.strict import json_type
from cybernetes.store.api import Compacted, FutureRevision
from cybernetes.wire.http.message import Response

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter"
)
_INCONSISTENT = (
    ", or use the continue token in this response to retrieve the remainder of the results. Continuing with the "
    "provided token results in an inconsistent list - objects that were created, modified, or deleted between the "
    "time the first chunk was returned and now may show up in the list."
)


class Page(msgspec.Struct, frozen=True):
    """Where a list begins. revision 0: the current one; start: the first place that may be in it."""

    revision: int = 0
    start: str = ""


async def list_objects(core: Core, call: Call) -> Response:
    options = list_options(call.request, watch=False)
    selection = selection_of(call, options)
    page = _page(options)
    await core.consistent()
    if options.revision and not options.continued:
        await check_not_future(core, options.number)
    form = respond.form_of(call, respond.LIST_SHAPES, listed=True)
    state = core.caches.of(*call.served.keeper).state
    if page.revision == 0 or (state.changed <= page.revision <= core.caches.revision):
        if page.revision:
            await _check_remembered(core, call, page)
        revision = page.revision or core.caches.revision
        items, more = await _page_of(core.clock, selection.candidates(state, page.start), selection, options.limit)
        behind = state.count(selection.namespace, items[-1].place + "\0") if more else 0
    else:
        revision = page.revision
        # Which of them a selector takes is known only here, so that the store can't count for it.
        past = await _history(core, call, page, options.limit if selection.everything else 0)
        items, more = await _page_of(core.clock, iter(past.items), selection, options.limit)
        more, behind = more or past.behind > 0, past.behind
    meta = _meta(revision, items, selection, more=more, behind=behind)
    pieces = await render_list(respond.renderer(core, call, form), items, meta, core.clock)
    return respond.listed(call.request, form, pieces, warnings=call.warnings)


def selection_of(call: Call, options: ListOptions) -> Selection:
    return Selection(call.served, call.info.namespace, options.labels, options.fields)


async def matching(core: Core, selection: Selection, state: ResourceState) -> list[Item]:
    """All items that are selected now, as they are shown."""
    items, _ = await _page_of(core.clock, selection.candidates(state), selection, 0)
    return items


async def _page_of(clock: Clock, source: Iterator[Item], selection: Selection, limit: int) -> tuple[list[Item], bool]:
    """The items of a page as they are shown, and whether there are more; all as of the moment of the call."""
    views = selection.served.views
    if selection.everything:
        items, more = (list(islice(source, limit)), next(source, None) is not None) if limit else (list(source), False)
        return (items if views is None else await views.of(items)), more
    # Which ones match is known only of what they are converted to.
    candidates = list(source) if views is None else await views.of(list(source))
    return await _selected(clock, candidates, selection, limit)


# Items that are looked at before others get their turn: some milliseconds where fields must be read for it.
LOOKED_AT_ONCE = 500


async def _selected(
    clock: Clock, candidates: Sequence[Item], selection: Selection, limit: int
) -> tuple[list[Item], bool]:
    items: list[Item] = []
    for n, item in enumerate(candidates, 1):
        if n % LOOKED_AT_ONCE == 0:
            await clock.sleep(0)
        if not selection.matches(item):
            continue
        if limit and len(items) == limit:
            return items, True
        items.append(item)
    return items, False


def _meta(revision: int, items: list[Item], selection: Selection, *, more: bool, behind: int) -> ListMeta:
    """behind: how many are after the page; told only where no selector leaves some of them out."""
    if not more:
        return ListMeta(revision)
    remaining = behind if selection.everything else None
    return ListMeta(revision, _token(revision, items[-1].place + "\0"), remaining)


async def _check_remembered(core: Core, call: Call, page: Page) -> None:
    """Raises ApiError 410 for a version that the store forgot: also where nothing has changed since.

    Clients count on their tokens to end some minutes later, and on being told how to go on.
    """
    if page.revision == core.caches.revision:
        return
    try:
        await core.store.get(call.served.prefix, page.revision)
    except Compacted:
        raise _gone(page) from None


class _Past(msgspec.Struct, frozen=True):
    """behind: how many the store has after these."""

    items: list[Item]
    behind: int


async def _history(core: Core, call: Call, page: Page, limit: int) -> _Past:
    """Items as of an older revision, from the store; at most `limit` unless that is 0."""
    served = call.served
    namespace = call.info.namespace
    prefix = f"{served.prefix}{namespace}/" if namespace else served.prefix
    start = served.prefix + page.start if page.start else ""
    try:
        found = await core.store.range(prefix, start=start, limit=limit, revision=page.revision)
    except Compacted:
        raise _gone(page) from None
    except FutureRevision as early:
        raise too_large(early.asked, early.current) from None
    cut = len(served.prefix)
    items = [item_of(entry.key[cut:], entry.value, entry.revision, entry.created) for entry in found.entries]
    return _Past(items, found.count - len(items))


def _gone(page: Page) -> ApiError:
    if not page.start:
        return expired("The resourceVersion for the provided list is too old.")
    return _ListExpired(_TOO_OLD + _INCONSISTENT, _token(-1, page.start))


class _ListExpired(ApiError):
    """410 with a token that goes on with the current state."""

    def __init__(self, message: str, token: str) -> None:
        super().__init__(410, "Expired", message)
        self._token = token

    def status(self) -> dict[str, object]:
        return {**super().status(), "metadata": {"continue": self._token}}


def _page(options: ListOptions) -> Page:
    if options.continued:
        if options.revision and options.revision != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
        return _parse_token(options.continued)
    exact = options.match == "Exact" or (options.limit and not options.match and options.number)
    return Page(options.number if exact else 0)


def _token(revision: int, start: str) -> str:
    token = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def _parse_token(text: str) -> Page:
    def broken(why: str) -> ApiError:
        return bad_request(f"invalid continue token: continue key is not valid: {why}")

    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as wrong:
        raise broken(f"illegal base64 data: {wrong}") from None
    try:
        token = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise broken(_go_json_error(data)) from None
    if not isinstance(token, dict) or token.get("v") != "meta.k8s.io/v1":
        version = token.get("v", "") if isinstance(token, dict) else ""
        raise broken(f"server does not recognize this encoded version {version}")
    revision, start = token.get("rv", 0), token.get("start", "")
    for name, value, kind, wanted in (("rv", revision, int, "int64"), ("start", start, str, "string")):
        if type(value) is not kind:
            raise broken(
                f"json: cannot unmarshal {json_type(value)} into Go struct field continueToken.{name} of type {wanted}"
            )
    if revision == 0:
        raise broken("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not start:
        raise broken("encoded start key empty (version meta.k8s.io/v1)")
    if posixpath.normpath("/" + start) != "/" + start:
        raise broken(start)
    return Page(max(0, revision), start)


def _go_json_error(data: bytes) -> str:
    text = data.decode("utf-8", "replace").lstrip()
    if not text:
        return "unexpected end of JSON input"
    first = data.lstrip()[0]
    shown = chr(first) if 0x20 <= first < 0x7F else f"\\u{first:04x}"
    return f"invalid character '{shown}' looking for beginning of value"
