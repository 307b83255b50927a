"""Kubernetes' protobuf, driven by the field numbers of schema nodes instead of generated classes.

enters   messages of clients; objects in canonical form, with the node of their kind
leaves   plain values that `schema.decode` brings into canonical form; messages
holds    unknown fields are skipped; work is linear in the size of the message
fails    ProtobufProblem for what is no message
source   Kubernetes documentation "Kubernetes API Concepts", Protobuf encoding

A node is anything with the attributes of `model.schema.node` (this layer is below the model): `type`; a struct's
`name` and `fields` (each with `name`, `node`, `wire`), a list's `item`, a map's `value`, a union's `members`.
"""

from __future__ import annotations

from cybernetes.wire.protobuf.decode import decode
from cybernetes.wire.protobuf.encode import encode, encode_list
from cybernetes.wire.protobuf.envelope import Envelope, ProtobufProblem, open_envelope, seal, watch_frame

__all__ = [
    "Envelope",
    "ProtobufProblem",
    "decode",
    "encode",
    "encode_list",
    "open_envelope",
    "seal",
    "watch_frame",
]
