"""Folders that are volumes."""

from __future__ import annotations

import shutil
from pathlib import Path

from cybernetes.base.errors import EdgeError, Outcome


def make_folder(path: Path) -> None:
    """Anybody may write into it: pods run as all kinds of users. Its parent lets only root through.

    It is seen only when it has its mode: what a crash left beside it is used again.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_dir():
        return
    staged = path.with_name(f".{path.name}.new")
    staged.mkdir(exist_ok=True)
    staged.chmod(0o777)
    staged.rename(path)


def remove_folder(path: Path) -> None:
    """What is gone already is removed. Raises EdgeError."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as failed:
        raise EdgeError("remove", str(path), str(failed), outcome=Outcome.UNKNOWN) from failed
