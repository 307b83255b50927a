"""Paths inside volumes: relative, and never upwards."""

from __future__ import annotations

from cybernetes.model.field import FieldError, Path, invalid


def validate_no_backsteps(text: str, path: Path) -> list[FieldError]:
    return [invalid(path, text, "must not contain '..'")] if ".." in text.split("/") else []


def validate_local_descending_path(text: str, path: Path) -> list[FieldError]:
    errors = [invalid(path, text, "must be a relative path")] if text.startswith("/") else []
    return errors + validate_no_backsteps(text, path)


def validate_local_non_reserved_path(text: str, path: Path) -> list[FieldError]:
    errors = validate_local_descending_path(text, path)
    # Names that begin with ".." are how volumes are replaced atomically.
    if text.startswith("..") and not text.startswith("../"):
        errors.append(invalid(path, text, "must not start with '..'"))
    return errors
