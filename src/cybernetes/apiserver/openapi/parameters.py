"""Query and path parameters by name, as OpenAPI v3 writes them."""

from __future__ import annotations

from typing import Any

_S, _B, _I = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}

# name -> (type, description)
_QUERY: dict[str, tuple[dict[str, Any], str]] = {
    "allowWatchBookmarks": (_B, "Ask for events of type BOOKMARK, which carry only a resourceVersion."),
    "command": (_S, "The command to run, not within a shell: one parameter per argument."),
    "container": (_S, "The container to act on; the only one, when the pod has just one."),
    "continue": (_S, "The token of the page before: the list goes on behind it."),
    "dryRun": (_S, "When present, nothing is stored. The only valid value is All."),
    "fieldManager": (_S, "Name of who makes this change, at most 128 printable characters."),
    "fieldSelector": (_S, "Restricts the list by fields of the objects."),
    "fieldValidation": (_S, "What unknown and duplicate fields lead to: Ignore, Warn (the default) or Strict."),
    "follow": (_B, "Follow the log stream of the pod."),
    "force": (_B, "Take over fields that another manager owns; for apply patches only."),
    "gracePeriodSeconds": (_I, "Seconds before the object is deleted; zero means at once."),
    "ignoreStoreReadErrorWithClusterBreakingPotential": (_B, "Delete an object that can't be read from the store."),
    "insecureSkipTLSVerifyBackend": (_B, "Don't verify the certificate of the kubelet that has the log."),
    "labelSelector": (_S, "Restricts the list by labels of the objects."),
    "limit": (_I, "At most so many items in one answer; the rest is got with continue."),
    "limitBytes": (_I, "At most so many bytes of the log."),
    "orphanDependents": (_B, "Deprecated: use propagationPolicy. Whether dependents are orphaned."),
    "path": (_S, "The part of the URL that is sent to the target of the proxy."),
    "ports": (_I, "The ports to forward; required with WebSockets."),
    "pretty": (_S, "If 'true', the output is indented."),
    "previous": (_B, "Return the log of the container's previous instance."),
    "propagationPolicy": (_S, "What happens to dependents: Orphan, Background or Foreground."),
    "resourceVersion": (_S, "Which version the answer may or must show."),
    "resourceVersionMatch": (_S, "How resourceVersion is applied to lists: Exact or NotOlderThan."),
    "sendInitialEvents": (_B, "Begin the watch with the present state, followed by a bookmark."),
    "shardSelector": (_S, "Restricts the list to one shard of the objects."),
    "sinceSeconds": (_I, "Only lines of the log that are not older."),
    "stderr": (_B, "Redirect the standard error stream for this call."),
    "stdin": (_B, "Redirect the standard input stream for this call."),
    "stdout": (_B, "Redirect the standard output stream for this call."),
    "stream": (_S, "Which stream of the log: All, Stdout or Stderr."),
    "tailLines": (_I, "Only so many lines from the end of the log."),
    "timeoutSeconds": (_I, "Limits the duration of the call, regardless of any activity."),
    "timestamps": (_B, "Begin every line of the log with its time."),
    "tty": (_B, "Allocate a terminal for this call."),
    "watch": (_B, "Watch for changes instead of listing."),
}


def query(name: str) -> dict[str, Any]:
    kind, description = _QUERY[name]
    return {"name": name, "in": "query", "description": description, "schema": {**kind, "uniqueItems": True}}


def of_path(name: str, kind: str) -> dict[str, Any]:
    texts = {
        "name": f"name of the {kind}",
        "namespace": "object name and auth scope, such as for teams and projects",
        "path": "path to the resource",
    }
    schema = {"type": "string", "uniqueItems": True}
    return {"name": name, "in": "path", "description": texts[name], "required": True, "schema": schema}
