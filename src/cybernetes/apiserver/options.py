"""Query parameters of reads and writes, checked as the API checks them. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cybernetes.base.errors import ApiError, bad_request
from cybernetes.model import field
from cybernetes.model.field import FieldError, Path, quoted
from cybernetes.model.selector import FieldTerm, Requirements, parse_fields, parse_labels
from cybernetes.wire.http.message import Request

_META = "meta.k8s.io"
_FIELD_VALIDATION = ("", "Ignore", "Strict", "Warn")
_MANAGER_MAX = 128
_EXACT = "Exact"
_NOT_OLDER = "NotOlderThan"
_INT64, _UINT64 = 2**63, 2**64
_INVALID_SYNTAX = "invalid syntax"


class WriteOptions(msgspec.Struct, frozen=True):
    dry_run: bool = False
    manager: str = ""
    field_validation: str = "Warn"
    force: bool | None = None
    # Of a delete, as its options say it.
    deletion: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """As admission sees the options: CreateOptions, UpdateOptions or DeleteOptions without kind."""
        dry = {"dryRun": ["All"]} if self.dry_run else {}
        if self.deletion is not None:
            return {**self.deletion, **dry}
        return {**dry, "fieldManager": self.manager, "fieldValidation": self.field_validation}


class ListOptions(msgspec.Struct, frozen=True):
    """revision: "" unset; match: "", "Exact" or "NotOlderThan"."""

    labels: Requirements = ()
    fields: tuple[FieldTerm, ...] = ()
    limit: int = 0
    continued: str = ""
    revision: str = ""
    match: str = ""
    timeout_s: int | None = None
    bookmarks: bool = False
    initial_events: bool | None = None

    @property
    def number(self) -> int:
        return int(self.revision or 0)


def write_options(request: Request, kind: str) -> WriteOptions:
    """Options of create, update and patch; `kind` is CreateOptions, UpdateOptions or PatchOptions. Raises ApiError."""
    if not request.query:
        return WriteOptions(manager=manager_of(request))
    dry_run = request.query.get("dryRun", [])
    validation = request.param("fieldValidation")
    manager = request.param("fieldManager")
    errors = [*_dry_run_errors(dry_run)]
    if validation not in _FIELD_VALIDATION:
        errors.append(field.not_supported(Path("fieldValidation"), validation, _FIELD_VALIDATION))
    errors += manager_errors(manager)
    if errors:
        raise field.invalid_object(_META, kind, "", errors)
    force = request.flag("force") if "force" in request.query else None
    return WriteOptions(bool(dry_run), manager or manager_of(request), validation or "Warn", force)


def manager_of(request: Request) -> str:
    """The manager of writes that name none: the first part of the User-Agent, of its characters those that print."""
    name = request.headers.get("user-agent", "").partition("/")[0][:_MANAGER_MAX]
    if name.isascii() and name.isprintable():
        return name
    printing = "".join(filter(str.isprintable, name)).encode()[:_MANAGER_MAX]
    return printing.decode(errors="ignore")


def _dry_run_errors(dry_run: list[str]) -> list[FieldError]:
    if not dry_run or all(each == "All" for each in dry_run):
        return []
    return [field.not_supported(Path("dryRun"), dry_run, ("All",))]


def manager_errors(manager: str) -> list[FieldError]:
    path = Path("fieldManager")
    if len(manager.encode()) > _MANAGER_MAX:
        return [field.too_long(path, _MANAGER_MAX)]
    if not manager.isprintable():
        return [field.invalid(path, manager, "should only contain printable characters")]
    return []


def list_options(request: Request, *, watch: bool) -> ListOptions:
    """Raises ApiError 400 for what does not parse, 422 for what contradicts itself."""
    if not request.query:
        return ListOptions()
    initial = request.flag("sendInitialEvents") if "sendInitialEvents" in request.query else None
    options = ListOptions(
        labels=parse_labels(request.param("labelSelector")),
        fields=parse_fields(request.param("fieldSelector")),
        limit=max(0, integer(request, "limit") or 0),
        continued=request.param("continue"),
        revision=request.param("resourceVersion"),
        match=request.param("resourceVersionMatch"),
        timeout_s=integer(request, "timeoutSeconds"),
        bookmarks=request.flag("allowWatchBookmarks"),
        initial_events=initial,
    )
    errors = _watch_errors(options) if watch else _list_errors(options)
    if errors:
        raise field.invalid_object(_META, "ListOptions", "", errors)
    check_revision(options.revision, watch=watch)
    return options


def integer(request: Request, name: str) -> int | None:
    """A parameter that is a number of 64 bits; None where it is not given. Raises ApiError 400."""
    if name not in request.query:
        return None
    text = request.param(name)
    wrong = _unfit_number(text, -_INT64, _INT64 - 1) if re.fullmatch(r"[+-]?[0-9]+", text) else _INVALID_SYNTAX
    if wrong:
        raise bad_request(f"strconv.ParseInt: parsing {quoted(text)}: {wrong}")
    return int(text)


def _unfit_number(digits: str, least: int, most: int) -> str:
    """What Go says of a decimal number that does not fit; "" for one that does."""
    # Python refuses to read thousands of digits.
    fits = len(digits) <= len(str(most)) + 1 and least <= int(digits) <= most
    return "" if fits else "value out of range"


def _list_errors(options: ListOptions) -> list[FieldError]:
    path = Path("resourceVersionMatch")
    errors = []
    if options.initial_events is not None:
        errors.append(field.forbidden(Path("sendInitialEvents"), "sendInitialEvents is forbidden for list"))
    if not options.match:
        return errors
    if options.continued:
        errors.append(field.forbidden(path, "resourceVersionMatch is forbidden when continue is provided"))
    if not options.revision:
        errors.append(field.forbidden(path, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if options.match not in (_EXACT, _NOT_OLDER):
        errors.append(field.not_supported(path, options.match, (_EXACT, _NOT_OLDER, "")))
    if options.match == _EXACT and options.revision == "0":
        errors.append(field.forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    return errors


def _watch_errors(options: ListOptions) -> list[FieldError]:
    path = Path("resourceVersionMatch")
    errors = []
    if options.initial_events is None:
        if options.match:
            errors.append(
                field.forbidden(
                    path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
                )
            )
        return errors
    if options.match != _NOT_OLDER:
        errors.append(field.forbidden(path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
        if options.match:
            errors.append(field.not_supported(path, options.match, (_NOT_OLDER,)))
    return errors


def check_revision(text: str, *, watch: bool) -> None:
    if not text:
        return
    wrong = _unfit_number(text, 0, _UINT64 - 1) if text.isascii() and text.isdigit() else _INVALID_SYNTAX
    if not wrong:
        return
    why = f"resourceVersion: Invalid value: {quoted(text)}: strconv.ParseUint: parsing {quoted(text)}: {wrong}"
    if watch:
        raise ApiError(500, "", why)
    raise bad_request(f"invalid resource version: {why}")
