"""Folders that are volumes."""

from __future__ import annotations

import shutil
from pathlib import Path

from cybernetes.base.errors import EdgeError, Outcome


def make_folder(path: Path) -> None:
    """Anybody may write into it: pods run as all kinds of users. Its parent lets only root through."""
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        path.chmod(0o777)


def remove_folder(path: Path) -> None:
    """What is gone already is removed. Raises EdgeError."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as failed:
        raise EdgeError("remove", str(path), str(failed), outcome=Outcome.UNKNOWN) from failed
