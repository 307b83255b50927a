"""Builds the strategies of resources from the few ways in which they differ.

Most kinds follow one of three patterns: no status, a status that only its endpoint writes, and a
generation that counts changes of the spec. What is left is a kind's own and given as functions.

source  Kubernetes, pkg/registry/*/strategy.go: what a write resets
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cybernetes.model.field import FieldError
from cybernetes.model.resource import Object, Strategy, WriteContext
from cybernetes.model.schema.compile import kind_node
from cybernetes.model.schema.node import StructNode
from cybernetes.model.schema.zero import zero
from cybernetes.model.validation.meta import validate_meta, validate_meta_update
from cybernetes.model.validation.names import NameRule, dns_subdomain

Validate = Callable[[Object], list[FieldError]]
ValidateUpdate = Callable[[Object, Object], list[FieldError]]
Prepare = Callable[[Object, WriteContext], None]
PrepareUpdate = Callable[[Object, Object, WriteContext], None]


def no_rules(obj: Object) -> list[FieldError]:
    return []


def standard(
    *,
    namespaced: bool,
    name_rule: NameRule = dns_subdomain,
    validate: Validate = no_rules,
    validate_update: ValidateUpdate | None = None,
    meta_checks_on_update: int = 1,
    prepare_create: Iterable[Prepare] = (),
    prepare_update: Iterable[PrepareUpdate] = (),
    **rest: object,
) -> Strategy:
    """A strategy that checks metadata, then `validate`; on update metadata against the old object too.

    validate_update  replaces `validate` on updates; None: the same rules, nothing immutable
    meta_checks_on_update  2: an update is checked like a new object as well, 0: nothing of metadata is; answers
                     list each complaint as often as the reference finds it
    rest             further fields of Strategy
    """
    create_steps, update_steps = tuple(prepare_create), tuple(prepare_update)

    def create(obj: Object, ctx: WriteContext) -> None:
        for step in create_steps:
            step(obj, ctx)

    def update(obj: Object, old: Object, ctx: WriteContext) -> None:
        for step in update_steps:
            step(obj, old, ctx)

    def on_create(obj: Object, ctx: WriteContext) -> list[FieldError]:
        return validate_meta(obj, namespaced=namespaced, name_rule=name_rule) + validate(obj)

    def on_update(obj: Object, old: Object, ctx: WriteContext) -> list[FieldError]:
        specific = validate(obj) if validate_update is None else validate_update(obj, old)
        errors: list[FieldError] = []
        if meta_checks_on_update > 0:
            errors += validate_meta_update(obj, old)
        if meta_checks_on_update > 1:
            errors += validate_meta(obj, namespaced=namespaced, name_rule=name_rule)
        return errors + specific

    return Strategy(
        prepare_create=create,
        prepare_update=update,
        validate_create=on_create,
        validate_update=on_update,
        **rest,  # type: ignore[arg-type]
    )


def first_generation(obj: Object, ctx: WriteContext) -> None:
    obj["metadata"]["generation"] = 1


def next_generation(*keys: str) -> PrepareUpdate:
    """Counts the generation up when one of these top-level parts changes."""

    def count(obj: Object, old: Object, ctx: WriteContext) -> None:
        before = old["metadata"].get("generation", 0)
        changed = any(obj.get(key) != old.get(key) for key in keys)
        _set_generation(obj, before + 1 if changed else before)

    return count


def _set_generation(obj: Object, generation: int) -> None:
    if generation:
        obj["metadata"]["generation"] = generation
    else:
        obj["metadata"].pop("generation", None)


def keep(*keys: str) -> PrepareUpdate:
    """Puts these top-level parts back to what is stored: another endpoint writes them."""

    def put_back(obj: Object, old: Object, ctx: WriteContext) -> None:
        for key in keys:
            if key in old:
                obj[key] = old[key]
            else:
                obj.pop(key, None)

    return put_back


def keep_meta(*keys: str) -> PrepareUpdate:
    """Puts these parts of metadata back to what is stored."""

    def put_back(obj: Object, old: Object, ctx: WriteContext) -> None:
        for key in keys:
            if key in old["metadata"]:
                obj["metadata"][key] = old["metadata"][key]
            else:
                obj["metadata"].pop(key, None)

    return put_back


def empty_status(obj: Object, ctx: WriteContext) -> None:
    """A new object has no status but what its controller writes."""
    node = kind_node(obj["apiVersion"], obj["kind"])
    status = node.fields["status"].node if node is not None else None
    obj["status"] = zero(status) if isinstance(status, StructNode) else {}


def status_of(
    *,
    validate_update: ValidateUpdate = lambda obj, old: [],
    keeps: tuple[str, ...] = ("spec",),
    prepare_update: Iterable[PrepareUpdate] = (),
    **rest: object,
) -> Strategy:
    """The strategy of a /status endpoint: only the status (and metadata) is written."""
    steps = (keep(*keeps), _keep_generation, *prepare_update)

    def update(obj: Object, old: Object, ctx: WriteContext) -> None:
        for step in steps:
            step(obj, old, ctx)

    def on_update(obj: Object, old: Object, ctx: WriteContext) -> list[FieldError]:
        return validate_meta_update(obj, old) + validate_update(obj, old)

    return Strategy(prepare_update=update, validate_update=on_update, **rest)  # type: ignore[arg-type]


def _keep_generation(obj: Object, old: Object, ctx: WriteContext) -> None:
    _set_generation(obj, old["metadata"].get("generation", 0))
