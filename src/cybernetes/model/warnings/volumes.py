"""Volumes of plugins that are gone, and of files that lie in each other's way."""

from __future__ import annotations

from typing import Any, NamedTuple

from cybernetes.model.field import Path, quoted

Volume = dict[str, Any]
_GONE = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}


class _File(NamedTuple):
    path: str
    source: str

    def __str__(self) -> str:
        return f"{quoted(self.path)} ({self.source})" if self.source else quoted(self.path)


def of_volumes(volumes: list[Volume], path: Path) -> list[str]:
    """path: of the list."""
    found = [
        f"{path.index(i).child(key)}: {text}"
        for i, volume in enumerate(volumes)
        for key, text in _GONE.items()
        if volume.get(key) is not None
    ]
    for volume in volumes:
        found += _overlaps(volume)
    return found


def _overlaps(volume: Volume) -> list[str]:
    name, found = quoted(volume.get("name", "")), []
    for key, shown in (("configMap", "ConfigMap"), ("secret", "Secret"), ("downwardAPI", "DownwardAPI")):
        collisions = _collisions(_items(volume.get(key) or {}, ""))
        if collisions:
            found.append(f"volume {name} ({shown}): overlapping paths: {collisions}")
    files: list[_File] = []
    for source in (volume.get("projected") or {}).get("sources") or []:
        if not any(value is not None for value in source.values()):
            found.append(f"volume {name} (Projected) has no sources provided")
        files += _projected(source)
    collisions = _collisions(files)
    if collisions:
        found.append(f"volume {name} (Projected): overlapping paths: {collisions}")
    return found


def _projected(source: dict[str, Any]) -> list[_File]:
    for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        given = source.get(key)
        if given is not None:
            return _items(given, f"{kind} {quoted(given.get('name', ''))}")
    if source.get("downwardAPI") is not None:
        return _items(source["downwardAPI"], "DownwardAPI")
    token, bundle = source.get("serviceAccountToken"), source.get("clusterTrustBundle")
    if token is not None:
        return [_File(token.get("path", "").rstrip("/"), "ServiceAccountToken")]
    if bundle is not None:
        named = bundle.get("name") or bundle.get("signerName") or ""
        return [_File(bundle.get("path", "").rstrip("/"), f"ClusterTrustBundle {quoted(named)}")]
    return []


def _items(source: dict[str, Any], shown: str) -> list[_File]:
    return [_File(each.get("path", "").rstrip("/"), shown) for each in source.get("items") or []]


def _collisions(files: list[_File]) -> str:
    found = [f"{file} with {other}" for i, file in enumerate(files) for other in files[:i] if _collide(file, other)]
    return ", ".join(found)


def _collide(one: _File, other: _File) -> bool:
    return one.path == other.path or one.path.startswith(f"{other.path}/") or other.path.startswith(f"{one.path}/")
