"""Makes sure that an image is there: policy, credentials, back-off, one pull at a time.

source  Kubernetes documentation "Images", image pull policy, serial and parallel image pulls
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.kubelet import backoff, images, pods
from cybernetes.kubelet.backoff import Entry
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import Image, Runtime
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

Say = Callable[[str, str, str], None]

# As many as a node of many pods has images that can't be pulled; the oldest is forgotten.
ENTRIES_MAX = 1000


class ImageError(Exception):
    """The image can't be had now. reason is the container's waiting reason; wait_s until a try makes sense."""

    def __init__(self, reason: str, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.wait_s = wait_s


class PullRequest(msgspec.Struct, frozen=True):
    pod: Object
    container: Object
    keys: tuple[images.Credential, ...]
    annotations: dict[str, str]
    sandbox_config: cri.PodSandboxConfig


class Puller:
    def __init__(self, runtime: Runtime, clock: Clock, *, at_once: int) -> None:
        self._runtime = runtime
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once) if at_once > 0 else nullcontext()
        self._entries: dict[tuple[str, str], Entry] = {}
        self._last_error: dict[tuple[str, str], str] = {}

    async def ensure(self, request: PullRequest, say: Say) -> Image:
        """The image of the request's container, pulled if its policy wants that. Raises ImageError."""
        container = request.container
        reference, policy = container.get("image", ""), container.get("imagePullPolicy") or "IfNotPresent"
        if not _is_reference(reference):
            why = f'Failed to apply default image tag "{reference}": couldn\'t parse image name "{reference}": invalid reference format'
            say("Warning", "InspectFailed", why)
            say("Warning", "Failed", "Error: InvalidImageName")
            raise ImageError("InvalidImageName", why, backoff.IMAGE_LIMIT_S)
        name = pods.default_tag(reference)
        present = await self._inspect(name, say)
        if not images.must_pull(policy, present is not None):
            if present is None:
                why = f'Container image "{reference}" is not present with pull policy of Never'
                say("Warning", "ErrImageNeverPull", why)
                raise ImageError("ErrImageNeverPull", why, backoff.FIRST_S)
            say(
                "Normal",
                "Pulled",
                f'Container image "{reference}" already present on machine and can be accessed by the pod',
            )
            return present
        return await self._pull(request, name, say)

    async def _inspect(self, name: str, say: Say) -> Image | None:
        try:
            return await self._runtime.image_status(name)
        except EdgeError as error:
            why = f'Failed to inspect image "{name}": {error.message}'
            say("Warning", "InspectFailed", why)
            raise ImageError("ImageInspectError", why, backoff.FIRST_S) from error

    async def _pull(self, request: PullRequest, name: str, say: Say) -> Image:
        reference = request.container["image"]
        key = (pods.uid(request.pod), name)
        entry, now = self._entries.get(key), self._clock.now()
        wait_s = backoff.remaining_s(entry, entry.updated, now, backoff.IMAGE_LIMIT_S) if entry else 0.0
        if wait_s > 0:
            why = f'Back-off pulling image "{reference}"'
            say("Normal", "BackOff", why)
            say("Warning", "Failed", "Error: ImagePullBackOff")
            last = self._last_error.get(key, "")
            raise ImageError("ImagePullBackOff", f"{why}: ErrImagePull: {last}" if last else why, wait_s)
        asked = self._clock.monotonic()
        say("Normal", "Pulling", f'Pulling image "{reference}"')
        try:
            async with self._slots:
                began = self._clock.monotonic()
                await self._try_all(request, name)
                image = await self._runtime.image_status(name)
        except EdgeError as error:
            self._note_failure(key, entry, error)
            say("Warning", "Failed", f'Failed to pull image "{reference}": {error.message}')
            say("Warning", "Failed", "Error: ErrImagePull")
            # Halfway through the wait the reason becomes ImagePullBackOff, so that users see both.
            raise ImageError("ErrImagePull", error.message, self._entries[key].delay_s / 2) from error
        self._entries.pop(key, None)
        self._last_error.pop(key, None)
        if image is None:
            raise ImageError("ImageInspectError", f'image "{name}" was pulled but is not there', backoff.FIRST_S)
        took, waited = _short(self._clock.monotonic() - began), _short(self._clock.monotonic() - asked)
        say(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{reference}" in {took} ({waited} including waiting). Image size: {image.size} bytes.',
        )
        return image

    def _note_failure(self, key: tuple[str, str], entry: Entry | None, error: EdgeError) -> None:
        now = self._clock.now()
        if len(self._entries) >= ENTRIES_MAX:
            oldest = next(iter(self._entries))
            del self._entries[oldest]
            self._last_error.pop(oldest, None)
        self._entries[key] = backoff.following(entry, entry.updated if entry else now, now, backoff.IMAGE_LIMIT_S)
        self._last_error[key] = error.message

    async def _try_all(self, request: PullRequest, name: str) -> None:
        """With each fitting credential, or without any when there is none; the last error counts."""
        spec = images.pull_spec(name, request.annotations)
        choices: list[cri.AuthConfig | None] = list(images.credentials(request.keys, name)) or [None]
        for position, auth in enumerate(choices):
            try:
                await self._runtime.pull_image(spec, auth, request.sandbox_config)
                return
            except EdgeError:
                if position == len(choices) - 1:
                    raise

    def forget(self, uid: str) -> None:
        for key in [key for key in self._entries if key[0] == uid]:
            del self._entries[key]
            self._last_error.pop(key, None)


def _is_reference(text: str) -> bool:
    name = text.partition("@")[0]
    path = name.rpartition("/")[0] + "/" + name.rpartition("/")[2].partition(":")[0]
    repository = path.partition("/")[2] if "/" in name else path.strip("/")
    return bool(text) and not text.endswith((":", "/", "@")) and repository == repository.lower() and " " not in text


def _short(seconds: float) -> str:
    """As Go prints a duration rounded to milliseconds: 12ms, 1.2s."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    return f"{round(seconds, 3):g}s"
