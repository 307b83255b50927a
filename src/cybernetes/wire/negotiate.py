"""Which media type and which form an answer has, from the Accept header. Pure.

source  Kubernetes API Concepts, "Alternate representations of resources"
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from cybernetes.base.errors import ApiError

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"

TABLE = "Table"
METADATA = "PartialObjectMetadata"
METADATA_LIST = "PartialObjectMetadataList"

_META_VERSIONS = ("v1", "v1beta1")
_WHOLE = f"{JSON}, {YAML}, {PROTOBUF}"
_STREAMS = f"{JSON};stream=watch, {PROTOBUF};stream=watch"


class Form(msgspec.Struct, frozen=True):
    """media: one of JSON, YAML, PROTOBUF. shape: "" for the object itself, else TABLE, METADATA or METADATA_LIST."""

    media: str = JSON
    shape: str = ""
    version: str = "v1"


PLAIN = Form()


class _Offer(msgspec.Struct, frozen=True):
    media: str
    parameters: dict[str, str]
    quality: float


@lru_cache(maxsize=512)
def negotiate(accept: str, shapes: frozenset[str], protobuf: bool = True) -> Form | None:
    """The first acceptable form in the client's order of preference; None when there is none.

    shapes    which of TABLE, METADATA, METADATA_LIST the endpoint can answer with
    protobuf  whether the resource has a protobuf encoding (custom resources have none)
    """
    if not accept.strip():
        return PLAIN
    for offer in sorted(_offers(accept), key=lambda each: -each.quality):
        form = _form(offer, shapes, protobuf)
        if form is not None:
            return form
    return None


def not_acceptable() -> ApiError:
    message = f"406: Not Acceptable\n\nAvailable representations: {_WHOLE}, {_STREAMS}"
    return ApiError(406, "NotAcceptable", message, {})


def unsupported_media_type(allowed: str = _WHOLE) -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {allowed}"
    return ApiError(415, "UnsupportedMediaType", message)


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header without parameters, in lower case; JSON when there is none."""
    return content_type.partition(";")[0].strip().lower() or JSON


def _form(offer: _Offer, shapes: frozenset[str], protobuf: bool) -> Form | None:
    media = _media(offer.media)
    if media is None or (media == PROTOBUF and not protobuf):
        return None
    shape = offer.parameters.get("as", "")
    if not shape:
        return Form(media)
    version = offer.parameters.get("v", "")
    if media == PROTOBUF and shape == TABLE:
        return None
    if shape not in shapes or offer.parameters.get("g") != "meta.k8s.io" or version not in _META_VERSIONS:
        return None
    return Form(media, shape, version)


def _media(media: str) -> str | None:
    if media in ("*/*", "application/*", JSON):
        return JSON
    if media in (YAML, "application/x-yaml", "text/yaml"):
        return YAML
    return PROTOBUF if media == PROTOBUF else None


def _offers(accept: str) -> list[_Offer]:
    offers = []
    for part in accept.split(","):
        media, *rest = part.split(";")
        if not media.strip():
            continue
        parameters = {}
        for each in rest:
            name, _, value = each.partition("=")
            parameters[name.strip().lower()] = value.strip().strip('"')
        offers.append(_Offer(media.strip().lower(), parameters, _quality(parameters.get("q", "1"))))
    return offers


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
