"""Against the protobuf library, with descriptors made from the same field numbers but by another road."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from cybernetes.model.schema import compile as schema
from cybernetes.model.schema.decode import decode
from cybernetes.wire import protobuf

TYPES = descriptor_pb2.FieldDescriptorProto


def _library() -> dict[str, type]:
    """A few messages of core/v1 as the protobuf library knows them."""
    file = descriptor_pb2.FileDescriptorProto(name="core.proto", package="k8s", syntax="proto2")
    messages = {
        "ObjectMeta": [("name", 1, "string", ""), ("namespace", 3, "string", ""), ("generation", 7, "int64", "")],
        "Time": [("seconds", 1, "int64", ""), ("nanos", 2, "int32", "")],
        "Quantity": [("string", 1, "string", "")],
        "EmptyDir": [("medium", 1, "string", ""), ("sizeLimit", 2, "Quantity", "")],
        "VolumeSource": [("emptyDir", 2, "EmptyDir", "")],
        "Volume": [("name", 1, "string", ""), ("volumeSource", 2, "VolumeSource", "")],
        "Container": [("name", 1, "string", ""), ("image", 2, "string", ""), ("args", 4, "string", "many")],
        "PodSecurityContext": [("supplementalGroups", 4, "int64", "many"), ("runAsUser", 2, "int64", "")],
        "PodSpec": [
            ("volumes", 1, "Volume", "many"),
            ("containers", 2, "Container", "many"),
            ("terminationGracePeriodSeconds", 4, "int64", ""),
            ("hostNetwork", 11, "bool", ""),
            ("securityContext", 14, "PodSecurityContext", ""),
        ],
        "Pod": [("metadata", 1, "ObjectMeta", ""), ("spec", 2, "PodSpec", "")],
    }
    scalars = {
        "string": TYPES.TYPE_STRING,
        "int64": TYPES.TYPE_INT64,
        "int32": TYPES.TYPE_INT32,
        "bool": TYPES.TYPE_BOOL,
    }
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, number, kind, many in fields:
            label = TYPES.LABEL_REPEATED if many else TYPES.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if kind in scalars:
                added.type = scalars[kind]
            else:
                added.type, added.type_name = TYPES.TYPE_MESSAGE, f".k8s.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"k8s.{name}")) for name in messages}


POD = {
    "metadata": {"name": "a", "namespace": "b", "generation": 300},
    "spec": {
        "volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}, {"name": "w"}],
        "containers": [{"name": "ä", "image": "i", "args": ["", "x"], "resources": {}}],
        "terminationGracePeriodSeconds": -1,
        "hostNetwork": True,
        "securityContext": {"supplementalGroups": [1, 2**40], "runAsUser": 0},
    },
}


def test_the_protobuf_library_reads_what_we_write() -> None:
    pod = _library()["Pod"].FromString(protobuf.encode(schema.kind_node("v1", "Pod"), POD))
    assert (pod.metadata.name, pod.metadata.namespace, pod.metadata.generation) == ("a", "b", 300)
    assert pod.spec.volumes[0].volumeSource.emptyDir.sizeLimit.string == "1Gi"
    assert not pod.spec.volumes[1].HasField("volumeSource")
    assert pod.spec.containers[0].name == "ä"
    assert list(pod.spec.containers[0].args) == ["", "x"]
    assert pod.spec.terminationGracePeriodSeconds == -1
    assert pod.spec.hostNetwork is True
    assert list(pod.spec.securityContext.supplementalGroups) == [1, 2**40]
    assert pod.spec.securityContext.HasField("runAsUser")


def test_we_read_what_the_protobuf_library_writes() -> None:
    messages = _library()
    pod = messages["Pod"]()
    pod.metadata.name = "a"
    pod.spec.hostNetwork = False
    pod.spec.containers.add(name="c").args.append("x")
    pod.spec.volumes.add(name="v").volumeSource.emptyDir.medium = "Memory"
    pod.spec.securityContext.supplementalGroups.extend([7, -8])
    body = protobuf.seal("v1", "Pod", pod.SerializeToString())
    node = schema.kind_node("v1", "Pod")
    assert node is not None
    found = decode(node, body, "application/vnd.kubernetes.protobuf", kind="Pod", api_version="v1").object
    assert found == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "a"},
        "spec": {
            "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
            "containers": [{"name": "c", "args": ["x"], "resources": {}}],
            "securityContext": {"supplementalGroups": [7, -8]},
        },
        "status": {},
    }


def test_envelopes() -> None:
    sealed = protobuf.seal("apps/v1", "Deployment", b"raw")
    assert sealed.startswith(b"k8s\x00")
    assert sealed.endswith(b"\x1a\x00\x22\x00")
    assert protobuf.open_envelope(sealed) == protobuf.Envelope("apps/v1", "Deployment", b"raw")
    with pytest.raises(protobuf.ProtobufProblem, match=r"expected prefix \[107 56 115 0\]"):
        protobuf.open_envelope(b"{}")


def test_frames_of_watches_hold_a_sealed_object() -> None:
    frame = protobuf.watch_frame("ADDED", b"sealed")
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert frame[4:] == b"\x0a\x05ADDED\x12\x08\x0a\x06sealed"


def test_lists_are_spliced_of_encoded_items() -> None:
    node, meta = schema.kind_node("v1", "Pod"), schema.node("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")
    items = [protobuf.encode(node, {"metadata": {"name": name}}) for name in "ab"]
    raw = protobuf.encode_list(meta, {"resourceVersion": "5"}, items)
    found = protobuf.decode(schema.node("io.k8s.api.core.v1.PodList"), raw)
    assert found["metadata"] == {"resourceVersion": "5"}
    assert [each["metadata"]["name"] for each in found["items"]] == ["a", "b"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:02", "0987-06-05T00:00:00", "2026-11-27T03:00:00"])
def test_times_of_every_year_are_read_as_they_were_written(time: str) -> None:
    lease, pod = schema.kind_node("coordination.k8s.io/v1", "Lease"), schema.kind_node("v1", "Pod")
    renewed = {"spec": {"renewTime": f"{time}.000005Z"}}
    assert protobuf.decode(lease, protobuf.encode(lease, renewed))["spec"] == renewed["spec"]
    made = {"metadata": {"creationTimestamp": f"{time}Z"}}
    assert protobuf.decode(pod, protobuf.encode(pod, made))["metadata"] == made["metadata"]


@pytest.mark.parametrize("raw", [b"\x0a", b"\x0a\x05a", b"\x0b", b"\xff" * 12, b"\x0a\x02\x0a\xff"])
def test_broken_messages_are_refused(raw: bytes) -> None:
    with pytest.raises(protobuf.ProtobufProblem):
        protobuf.decode(schema.kind_node("v1", "Pod"), raw)


def test_unknown_fields_are_skipped_and_packed_numbers_read() -> None:
    context = schema.node("io.k8s.api.core.v1.PodSecurityContext")
    assert protobuf.decode(context, b"\x22\x02\x01\x02\xfa\x07\x01x\xf8\x07\x05") == {"supplementalGroups": [1, 2]}


@pytest.mark.parametrize("meta", [b"\x0a\x03\x00\x80\x00", b"\x0a\x02v1\x12\x03\x80od"])
def test_an_envelope_whose_type_is_no_text_is_refused(meta: bytes) -> None:
    with pytest.raises(protobuf.ProtobufProblem, match="is no text"):
        protobuf.open_envelope(b"k8s\x00\x0a" + bytes([len(meta)]) + meta)
