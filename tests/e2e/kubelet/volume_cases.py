"""Containers that run once, and what they find in their volumes: content, modes, owners, file systems.

Many volumes share a container, one per kind of user: what is looked at is each volume's own.

source  the project's list of conformance behaviours, area storage
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from tests.e2e.kubelet.output_cases import RESOURCES, Case, Object, case

ROOT: Object = {}
NON_ROOT: Object = {"runAsUser": 1000}
FS_GROUP: Object = {"runAsUser": 1000, "fsGroup": 1001}
_READ = "-rw-r--r-- 0:0"


class Look(msgspec.Struct, frozen=True):
    """script: with `$V` for where the volume is; says: what it prints."""

    shows: str
    volume: Object
    script: str
    says: tuple[str, ...]
    context: Object = {}
    sub_path: str = ""
    limited: bool = False


def show(*paths: str) -> str:
    return "; ".join(f"stat -L -c '%A %u:%g' $V/{path}; cat $V/{path}; echo" for path in paths)


def _together(shows: str, looks: Sequence[Look]) -> Case:
    """One container that looks at all of them. Raises AssertionError when they are of different users."""
    script, says, volumes, mounts = [], [], [], []
    for number, look in enumerate(looks):
        assert look.context == looks[0].context
        name, path = f"v{number}", f"/volumes/{number}"
        volumes.append({"name": name, **look.volume})
        mounts.append({"name": name, "mountPath": path, **({"subPath": look.sub_path} if look.sub_path else {})})
        script.append(f"echo '== {look.shows}'; V={path}; {look.script}")
        says += [f"== {look.shows}", *look.says]
    resources = {"resources": RESOURCES} if looks[0].limited else {}
    spec = {"volumes": volumes, "securityContext": looks[0].context}
    return case(shows, "\n".join(script), *says, spec=spec, volumeMounts=mounts, **resources)


_ITEM = {"key": "data-2", "path": "path/to/data-2"}
# what, items, default mode, user, path, mode and owner
_OBJECT_ROWS: tuple[tuple[str, list[Object], int | None, Object, str, str], ...] = (
    ("volume mode default", [], None, ROOT, "data-1", _READ),
    ("non-root user", [], None, NON_ROOT, "data-1", _READ),
    ("volume mode 0400", [], 0o400, ROOT, "data-1", "-r-------- 0:0"),
    ("volume mode 0440, fsGroup 1001 and uid 1000", [], 0o440, FS_GROUP, "data-1", "-r--r----- 0:1001"),
    ("mapped", [_ITEM], None, ROOT, "path/to/data-2", _READ),
    ("mapped, non-root user", [_ITEM], None, NON_ROOT, "path/to/data-2", _READ),
    ("mapped, volume mode 0400", [{**_ITEM, "mode": 0o400}], None, ROOT, "path/to/data-2", "-r-------- 0:0"),
    ("mapped, non-root with fsGroup", [_ITEM], None, FS_GROUP, "path/to/data-2", "-rw-r--r-- 0:1001"),
)


def _of_objects() -> list[Look]:
    """ConfigMap and Secret volumes, and both of them projected."""
    looks = []
    for what, items, mode, context, path, access in _OBJECT_ROWS:
        chosen: Object = {"items": items} if items else {}
        modes = {"defaultMode": mode} if mode is not None else {}
        volumes: dict[str, Object] = {
            "ConfigMap Volume": {"configMap": {"name": "cm", **chosen, **modes}},
            "Secrets Volume": {"secret": {"secretName": "sec", **chosen, **modes}},
            "Projected Volume, ConfigMap": {
                "projected": {"sources": [{"configMap": {"name": "cm", **chosen}}], **modes}
            },
            "Projected Volume, Secrets": {"projected": {"sources": [{"secret": {"name": "sec", **chosen}}], **modes}},
        }
        value = "value-2" if items else "value-1"
        looks += [Look(f"{kind}, {what}", each, show(path), (access, value), context) for kind, each in volumes.items()]
    return looks


def _told(path: str, field: str = "metadata.name", **more: Any) -> Object:
    return {"path": path, "fieldRef": {"fieldPath": field}, **more}


def _amount(resource: str, divisor: str = "") -> Object:
    reference = {"containerName": "c0", "resource": resource, **({"divisor": divisor} if divisor else {})}
    return {"path": f"{resource}{divisor}", "resourceFieldRef": reference}


def _downward() -> list[Look]:
    """The same for a volume of its own and a projected one."""
    amounts = ("limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
    looks = []
    for kind in ("DownwardAPI volume", "Projected Volume, DownwardAPI"):

        def volume(*items: Object, kind: str = kind, **modes: int) -> Object:
            if kind == "DownwardAPI volume":
                return {"downwardAPI": {"items": list(items), **modes}}
            return {"projected": {"sources": [{"downwardAPI": {"items": list(items)}}], **modes}}

        secret = _told("private", mode=0o400)
        values = (_READ, "2", _READ, "67108864", _READ, "1", _READ, "33554432", _READ, "1250")
        looks += [
            Look(f"{kind}, limits and requests", volume(*map(_amount, amounts), _amount("limits.cpu", "1m")),
                 show(*amounts, "limits.cpu1m"), values, limited=True),
            Look(f"{kind}, default node allocatable", volume(*map(_amount, amounts[:2])), show(*amounts[:2]),
                 (_READ, "<cpu>", _READ, "<memory>")),
            Look(f"{kind}, pod name, file mode 0400", volume(_told("podname"), secret), show("podname", "private"),
                 (_READ, "<pod>", "-r-------- 0:0", "<pod>")),
            Look(f"{kind}, volume mode 0400", volume(_told("podname"), defaultMode=0o400), show("podname"), ("-r-------- 0:0", "<pod>")),
            Look(f"{kind}, labels", volume(_told("labels", "metadata.labels")), show("labels"), (_READ, 'who="me"')),
            Look(f"{kind}, non-root with fsGroup", volume(_told("podname"), defaultMode=0o440), show("podname"),
                 ("-r--r----- 0:1001", "<pod>"), FS_GROUP),
        ]  # fmt: skip
    return looks


def _empty_dirs() -> list[Look]:
    looks = []
    kind_of = "stat -c '%A %u' $V; (grep \" $V \" /proc/mounts | grep -c tmpfs) || true"
    for medium, kind in (("", "default"), ("Memory", "memory")):
        volume: Object = {"emptyDir": {"medium": medium} if medium else {}}
        for user, context in (("root", ROOT), ("non-root user", NON_ROOT)):
            says = ["drwxrwxrwt 0", "1"] if medium else ["drwxrwxrwx 0", "0"]
            script = [kind_of, "umask 0"]
            for mode, access in (("0644", "-rw-r--r--"), ("0666", "-rw-rw-rw-"), ("0777", "-rwxrwxrwx")):
                script.append(f"echo new > $V/{mode}; chmod {mode} $V/{mode}; stat -c %A $V/{mode}; cat $V/{mode}")
                says += [access, "new"]
            looks.append(
                Look(f"EmptyDir, medium {kind}, each mode, {user}", volume, "; ".join(script), tuple(says), context)
            )
    limited = {"emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}
    group = "stat -c '%A %u:%g' $V; touch $V/f; stat -c %g $V/f"
    looks.append(Look("EmptyDir in memory has the size of its limit", limited, "stat -f -c '%b %S' $V", ("1024 4096",)))
    looks.append(Look("EmptyDir with fsGroup", {"emptyDir": {}}, group, ("drwxrwsrwx 0:1001", "1001"), FS_GROUP))
    return looks


def _mixed() -> list[Look]:
    sources: list[Object] = [
        {"configMap": {"name": "cm", "items": [{"key": "data-1", "path": "cm/data"}]}},
        {"secret": {"name": "sec", "items": [{"key": "data-1", "path": "secret/data"}]}},
        {"downwardAPI": {"items": [_told("podname")]}},
    ]
    gone = {"configMap": {"name": "nothing", "optional": True}}
    binary = "cat $V/text; echo; wc -c < $V/dump; grep -c Z $V/dump"
    return [
        Look("Projected Volume, multiple projections", {"projected": {"sources": sources}},
             show("cm/data", "secret/data", "podname"), ("value-1", "value-1", "<pod>")),
        Look("optional sources may be absent", gone, "ls -A $V | grep -v '^[.][.]' | wc -l", ("0",)),
        Look("ConfigMap Volume, text data, binary data", {"configMap": {"name": "bytes"}}, binary, ("words", "5", "1")),
    ]  # fmt: skip


def _sub_paths() -> list[Look]:
    deep = {"name": "cm", "items": [{"key": "data-1", "path": "a/b"}]}
    rows: list[tuple[str, Object, str, str]] = [
        ("configmap", {"configMap": {"name": "cm"}}, "data-1", "value-1"),
        ("secret", {"secret": {"secretName": "sec"}}, "data-1", "value-1"),
        ("downwardAPI", {"downwardAPI": {"items": [_told("downward/podname")]}}, "downward/podname", "<pod>"),
        ("projected", {"projected": {"sources": [{"configMap": deep}]}}, "a/b", "value-1"),
    ]
    return [
        Look(f"SubPath: Reading content from a {kind} volume", volume, "cat $V; echo", (value,), sub_path=part)
        for kind, volume, part, value in rows
    ]


def _own_pods() -> list[Case]:
    """What needs a pod of its own, or several containers."""
    shared = {"volumes": [{"name": "a", "emptyDir": {}}]}
    mount = [{"name": "a", "mountPath": "/a"}]
    over = {"volumes": [{"name": "v", "configMap": {"name": "cm"}}]}
    name = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    expanded = [{"name": "a", "mountPath": "/part", "subPathExpr": "$(POD)"}, {"name": "a", "mountPath": "/all"}]
    existing = [{"name": "v", "mountPath": "/etc/resolv.conf", "subPath": "data-1"}]
    return [
        case("EmptyDir, Shared volumes between containers", "while ! test -s /a/f; do sleep 0.05; done; cat /a/f", "shared",
             spec=shared, volumeMounts=mount),
        case("EmptyDir, the other container", "echo shared > /a/g; mv /a/g /a/f; echo done", "done", spec=shared, volumeMounts=mount),
        case("VolumeSubpathEnvExpansion, subpath expansion, subpath test writes", "touch /part/f; ls /all/<pod>", "f", spec=shared,
             env=name, volumeMounts=expanded),
        case("SubPath: mountPath of existing file", "cat /etc/resolv.conf; echo", "value-1", spec=over, volumeMounts=existing),
    ]  # fmt: skip


def cases() -> list[Case]:
    looks = [*_of_objects(), *_downward(), *_empty_dirs(), *_mixed(), *_sub_paths()]
    groups: dict[str, list[Look]] = {}
    for each in looks:
        key = f"user {each.context or 'root'}" + (" with limits" if each.limited else "")
        groups.setdefault(key, []).append(each)
    return [*(_together(f"volumes, {key}", group) for key, group in groups.items()), *_own_pods()]
