"""Builds the gRPC stubs of the runtimes and stores that components speak to.

enters   `proto/grpc/fields.tsv`: packages, messages, enums, calls with their numbers
leaves   `src/cybernetes/wire/grpc/NAME_pb2.py`, `NAME_pb2.pyi`, `NAME_pb2_grpc.py`, one NAME per package
holds    the same table gives the same files; nothing but the table decides what is in them
fails    ValueError when the table names a type that it does not hold
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = "cybernetes/wire/grpc"

# Package in the table -> module name. "v2" is a key service's.
MODULES = {
    "runtime.v1": "cri_runtime",
    "v2": "kms_v2",
    "mvccpb": "etcd_kv",
    "etcdserverpb": "etcd_rpc",
    "containerd.types": "containerd_types",
    "containerd.services.events.v1": "containerd_events",
    "containerd.events": "containerd_event_types",
}

# Packages whose messages the table leaves out. Fields of these types are not generated: a
# message that carries one keeps it as an unknown field.
LEFT_OUT = ("authpb.", "types.")

WELL_KNOWN = {
    "google.protobuf.Any": "google/protobuf/any.proto",
    "google.protobuf.Timestamp": "google/protobuf/timestamp.proto",
}

SCALARS = {"string", "bytes", "bool", "int32", "int64", "uint32", "uint64", "double", "float"}


class Row(NamedTuple):
    package: str
    what: str
    name: str
    number: str
    field: str
    label: str
    type: str


def generate(root: Path) -> None:
    """Write the stubs of every package of the table below `root`."""
    from grpc_tools import protoc

    packages = _packages(root / "proto" / "grpc" / "fields.tsv")
    target = root / "src"
    with tempfile.TemporaryDirectory(prefix="cybernetes-proto-") as folder:
        sources = _write_sources(packages, Path(folder))
        wkt = Path(sys.modules["grpc_tools"].__path__[0]) / "_proto"
        code = protoc.main(
            [
                "protoc",
                f"-I{folder}",
                f"-I{wkt}",
                f"--python_out={target}",
                f"--pyi_out={target}",
                f"--grpc_python_out={target}",
                *sources,
            ]
        )
    if code != 0:
        raise ValueError(f"protoc refused the definitions made from proto/grpc/fields.tsv (exit {code})")


def _packages(table: Path) -> dict[str, list[Row]]:
    packages: dict[str, list[Row]] = {}
    with table.open(newline="") as lines:
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(reader)
        for cells in reader:
            row = Row(*(cells + [""] * 7)[:7])
            packages.setdefault(row.package, []).append(row)
    unknown = sorted(set(packages) - set(MODULES))
    if unknown:
        raise ValueError(f"packages without a module name: {unknown}")
    return packages


def _write_sources(packages: dict[str, list[Row]], folder: Path) -> list[str]:
    sources = []
    for package, rows in packages.items():
        path = folder / PACKAGE / f"{MODULES[package]}.proto"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(package, rows))
        sources.append(os.fspath(path.relative_to(folder)))
    return sources


def render(package: str, rows: list[Row]) -> str:
    """The .proto text of one package."""
    rows = [row for row in rows if not _element(row.type).startswith(LEFT_OUT)]
    messages: dict[str, list[Row]] = {}
    enums: dict[str, list[Row]] = {}
    services: dict[str, list[Row]] = {}
    for row in rows:
        {"message": messages, "enum": enums, "rpc": services}[row.what].setdefault(row.name, []).append(row)
    # Messages without fields have no row of their own.
    local = {part for row in rows for part in _references(row) if "." not in part}
    known = {name.rpartition(".")[2] for name in (*messages, *enums)}
    for name in sorted(local - known):
        messages.setdefault(name, [])
    parts = ['syntax = "proto3";', f"package {package};"]
    parts += [f'import "{each}";' for each in _imports(package, rows)]
    parts += [_enum(name, values, "") for name, values in enums.items() if "." not in name]
    parts += [_message(name, messages, enums, "") for name in messages if "." not in name]
    parts += [_service(name, calls) for name, calls in services.items()]
    return "\n".join(parts) + "\n"


def _references(row: Row) -> Iterator[str]:
    if row.what == "rpc":
        yield _element(row.label)
        yield _element(row.type)
    elif row.what == "message" and _element(row.type) not in SCALARS:
        yield _element(row.type)


def _element(type_name: str) -> str:
    """The message or scalar that a type is made of: of a stream, of a map's values, without remarks."""
    name = type_name.split(" (")[0].removeprefix("stream ")
    return name.removesuffix(">").split(",")[1] if name.startswith("map<") else name


def _imports(package: str, rows: list[Row]) -> list[str]:
    files = set()
    for reference in (each for row in rows for each in _references(row) if "." in each):
        if reference in WELL_KNOWN:
            files.add(WELL_KNOWN[reference])
            continue
        owner = reference.rpartition(".")[0]
        if owner not in MODULES:
            raise ValueError(f"{package} refers to {reference}, which the table does not hold")
        files.add(f"{PACKAGE}/{MODULES[owner]}.proto")
    return sorted(files - {f"{PACKAGE}/{MODULES[package]}.proto"})


def _enum(name: str, values: list[Row], indent: str) -> str:
    lines = [f"{indent}enum {name.rpartition('.')[2]} {{"]
    if len({each.number for each in values}) < len(values):
        lines.append(f"{indent}  option allow_alias = true;")
    lines += [f"{indent}  {each.field} = {each.number};" for each in sorted(values, key=lambda row: int(row.number))]
    return "\n".join([*lines, f"{indent}}}"])


def _message(name: str, messages: dict[str, list[Row]], enums: dict[str, list[Row]], indent: str) -> str:
    inner = indent + "  "
    lines = [f"{indent}message {name.rpartition('.')[2]} {{"]
    lines += [_enum(each, enums[each], inner) for each in enums if each.rpartition(".")[0] == name]
    lines += [_message(each, messages, enums, inner) for each in messages if each.rpartition(".")[0] == name]
    choices: dict[str, list[Row]] = {}
    for row in messages[name]:
        if row.label.startswith("oneof "):
            choices.setdefault(row.label.removeprefix("oneof "), []).append(row)
            continue
        label = {"many": "repeated ", "optional": "optional ", "one": ""}[row.label]
        lines.append(f"{inner}{label}{row.type} {row.field} = {row.number};")
    for choice, fields in choices.items():
        lines.append(f"{inner}oneof {choice} {{")
        lines += [f"{inner}  {each.type} {each.field} = {each.number};" for each in fields]
        lines.append(f"{inner}}}")
    return "\n".join([*lines, f"{indent}}}"])


def _service(name: str, calls: list[Row]) -> str:
    lines = [f"service {name} {{"]
    for call in calls:
        answer = call.type.split(" (")[0]
        lines.append(f"  rpc {call.field}({call.label}) returns ({answer});")
    return "\n".join([*lines, "}"])


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent.parent)
