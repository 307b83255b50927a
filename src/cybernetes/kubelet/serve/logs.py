"""Reads container logs as the runtime writes them.

source  "Container Runtime Interface", log format: `TIME STREAM TAG CONTENT`, TAG F for a whole line and P for a part
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from cybernetes.base.clock import Clock, parse_rfc3339

CHUNK_BYTES = 64 * 1024
# How soon a follower sees a new line; a log is looked at, since a container writes it behind our back.
FOLLOW_S = 0.1
_TAIL_BLOCK_BYTES = 64 * 1024


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """since: seconds since the epoch, 0 for all; stream: All, Stdout or Stderr."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: float = 0.0
    stream: str = "All"


def format_line(line: bytes, options: LogOptions) -> bytes | None:
    """What a client sees of one line of the file; None when it is filtered out, or broken."""
    parts = line.split(b" ", 3)
    if len(parts) < 3:
        return None
    stamp, stream, tag = parts[0], parts[1], parts[2]
    content = parts[3] if len(parts) == 4 else b""
    if options.stream != "All" and stream.decode("ascii", "replace") != options.stream.lower():
        return None
    if options.since and _seconds(stamp) < options.since:
        return None
    end = b"" if tag.startswith(b"P") else b"\n"
    return (_stamp(stamp) + b" " + content + end) if options.timestamps else content + end


def _seconds(stamp: bytes) -> float:
    text = stamp.decode("ascii", "replace")
    head, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :] if dot else ""
    try:
        return parse_rfc3339(f"{head}{zone}" if dot else head) + (float(f"0.{digits}") if digits else 0.0)
    except ValueError:
        return 0.0


def _stamp(stamp: bytes) -> bytes:
    """With exactly nine digits of a second."""
    head, dot, rest = stamp.partition(b".")
    if not dot:
        return stamp
    digits = rest[: len(rest) - len(rest.lstrip(b"0123456789"))]
    return head + b"." + digits.ljust(9, b"0")[:9] + rest[len(digits) :]


def open_log(path: Path) -> BinaryIO:
    """Open a log; a link in place of the file, or of its container's or pod's folder, is refused.

    A pod that mounts the log folder could else make the kubelet read any file of the node for it. Raises OSError.
    """
    folder = os.open(path.parent.parent.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in (path.parent.parent.name, path.parent.name):
            inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    return os.fdopen(descriptor, "rb")


def tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines begin."""
    with open_log(path) as file:
        size = at = file.seek(0, os.SEEK_END)
        if lines <= 0:
            return size
        wanted = lines
        while at > 0:
            start = max(0, at - _TAIL_BLOCK_BYTES)
            file.seek(start)
            block = file.read(at - start)
            # The end of the last line is no beginning of another.
            end = len(block) - 1 if at == size and block.endswith(b"\n") else len(block)
            while (found := block.rfind(b"\n", 0, end)) != -1:
                wanted -= 1
                if wanted == 0:
                    return start + found + 1
                end = found
            at = start
    return 0


async def read(path: Path, options: LogOptions, clock: Clock, is_running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log, formatted; follows it while `is_running` says so. A rotated file is read to its end, then the new one."""
    left = options.limit_bytes
    offset = tail_offset(path, options.tail_lines) if options.tail_lines is not None else 0
    rest = b""
    file = open_log(path)
    try:
        file.seek(offset)
        while True:
            chunk = file.read(CHUNK_BYTES)
            if chunk:
                *lines, rest = (rest + chunk).split(b"\n")
                out = b"".join(_formatted(lines, options))
                if left is not None:
                    out, left = out[:left], left - len(out)
                if out:
                    yield out
                if left is not None and left <= 0:
                    return
                continue
            if not options.follow:
                return
            if _was_rotated(path, file.fileno()):
                file.close()
                file, rest = open_log(path), b""
                continue
            running = is_running()
            if not running and not _has_more(file.fileno(), file.tell()):
                return
            if running:
                await clock.sleep(FOLLOW_S)
    finally:
        file.close()


def _formatted(lines: list[bytes], options: LogOptions) -> Iterator[bytes]:
    for line in lines:
        shown = format_line(line, options)
        if shown is not None:
            yield shown


def _was_rotated(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino != os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _has_more(descriptor: int, at: int) -> bool:
    return os.fstat(descriptor).st_size > at
