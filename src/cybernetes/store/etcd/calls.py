"""The connection to a cluster: calls with a time limit, their failures as EdgeError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
import msgspec

from cybernetes.base.errors import EdgeError, Outcome, Retry

# An election takes etcd a second or two; a call that waits longer is better tried again.
CALL_TIMEOUT_S = 10.0

_OPTIONS = [
    # A page of large objects exceeds the usual 4 MiB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A silent peer is found within half a minute, also by a watch that expects nothing.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]

# etcd looked at the request and refused it; all else may have happened.
_REFUSED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNIMPLEMENTED,
}
_HOPELESS = _REFUSED - {grpc.StatusCode.RESOURCE_EXHAUSTED}


class Tls(msgspec.Struct, frozen=True):
    """PEM: the authority that signed the servers' certificates; our certificate and key, or neither."""

    ca: bytes
    cert: bytes | None = None
    key: bytes | None = None


class Calls:
    def __init__(self, endpoints: Sequence[str], tls: Tls | None) -> None:
        """`endpoints`: HOST:PORT; more than one must be IPv4 addresses."""
        self.target = endpoints[0] if len(endpoints) == 1 else "ipv4:" + ",".join(endpoints)
        if tls is None:
            self.channel = grpc.aio.insecure_channel(self.target, _OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(tls.ca, tls.key, tls.cert)
            self.channel = grpc.aio.secure_channel(self.target, credentials, _OPTIONS)
        self.closed = False

    async def read(self, method: Any, request: Any, what: str) -> Any:
        return await self._call(method, request, "read", what, Outcome.NOT_DONE)

    async def write(self, method: Any, request: Any, what: str) -> Any:
        return await self._call(method, request, "write", what, Outcome.UNKNOWN)

    async def close(self) -> None:
        self.closed = True
        await self.channel.close()

    def refuse_closed(self) -> None:
        if self.closed:
            raise self.closed_error()

    def closed_error(self) -> EdgeError:
        return EdgeError("use", f"etcd {self.target}", "it is closed", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)

    def error(self, operation: str, what: str, error: grpc.RpcError, outcome: Outcome) -> EdgeError:
        code = error.code()
        message = f"{code.name}: {error.details()}; check etcd at {self.target}"
        if code in _REFUSED:
            outcome = Outcome.NOT_DONE
        return EdgeError(
            operation, what, message, outcome=outcome, retry=Retry.NEVER if code in _HOPELESS else Retry.LATER
        )

    async def _call(self, method: Any, request: Any, operation: str, what: str, outcome: Outcome) -> Any:
        self.refuse_closed()
        try:
            return await method(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            # For callers that tell one refusal from another by its code.
            raise self.error(operation, what, error, outcome) from error


def code_of(error: EdgeError) -> grpc.StatusCode | None:
    """The code with which etcd refused."""
    cause = error.__cause__
    return cause.code() if isinstance(cause, grpc.aio.AioRpcError) else None
