"""Structured events: `log.info("pod.bound", pod=ref, node=name)`, one line each.

A name (noun, past verb), then stable keys. Text is `key=value`, JSON with --log-format=json.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import orjson

_FORMATS = ("text", "json")


class Log:
    def __init__(self, component: str) -> None:
        self._logger = logging.getLogger(f"cybernetes.{component}")

    def debug(self, event: str, **fields: Any) -> None:
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: Any) -> None:
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Any) -> None:
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, error: BaseException | None = None, **fields: Any) -> None:
        self._logger.error(event, exc_info=error, extra={"fields": fields})


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = " ".join(f"{k}={_quoted(v)}" for k, v in getattr(record, "fields", {}).items())
        line = f"{at}.{int(record.msecs):03d}Z {record.levelname[0]} {record.getMessage()} {fields}".rstrip()
        return f"{line}\n{_indented(self.formatException(record.exc_info))}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        row = {
            "time": record.created,
            "level": record.levelname.lower(),
            "component": record.name.removeprefix("cybernetes."),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            row["error"] = self.formatException(record.exc_info)
        return orjson.dumps(row, default=str).decode()


def _quoted(value: Any) -> str:
    text = str(value)
    # Escaped, so that a name chosen by a user can't forge a line of the log.
    return repr(text) if any(c.isspace() or not c.isprintable() or c == '"' for c in text) or not text else text


def _indented(text: str) -> str:
    """Lines that no reader takes for events of their own, whatever the text of an exception says."""
    lines = text.splitlines()
    return "\n".join("    " + "".join(c if c.isprintable() else " " for c in each) for each in lines)


def configure(level: str = "info", log_format: str = "text") -> None:
    """Send all events to standard error, where the supervisor keeps them in a file."""
    assert log_format in _FORMATS, log_format
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    root = logging.getLogger("cybernetes")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
