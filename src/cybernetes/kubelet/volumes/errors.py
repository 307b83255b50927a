"""How volumes fail."""

from __future__ import annotations


class VolumeError(Exception):
    """The volume can't be made as the spec says; becomes a FailedMount event, and is tried again."""


class ImageVolumeError(VolumeError):
    """The volume's image can't be had; reason: of the containers that wait for it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
