"""Programs as a user of a cluster types them: output, errors and exit codes as values."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import orjson

TIMEOUT_S = 150


class Said(msgspec.Struct, frozen=True):
    out: str
    err: str
    code: int


class Shell:
    """A program with a kubeconfig, a default namespace and a home of its own."""

    def __init__(self, program: Path, kubeconfig: Path, namespace: str, home: Path) -> None:
        self.program = program
        self.namespace = namespace
        self.home = home
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    def run(self, *arguments: str, stdin: str = "", code: int = 0, **settings: str) -> Said:
        """Settings go to the environment. Fails unless the program ends with `code`."""
        command = [str(self.program), "-n", self.namespace, *arguments]
        done = subprocess.run(
            command,
            input=stdin,
            env={**self.environment, **settings},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == code, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return Said(done.stdout, done.stderr, done.returncode)

    def out(self, *arguments: str, stdin: str = "") -> str:
        return self.run(*arguments, stdin=stdin).out

    def until_out(self, wanted: str, *arguments: str) -> str:
        """What the program says once it says this, too."""
        deadline = time.monotonic() + TIMEOUT_S
        while wanted not in (said := self.out(*arguments)):
            assert time.monotonic() < deadline, f"{' '.join(arguments)}\nwithout {wanted!r}:\n{said}"
            time.sleep(0.1)
        return said

    def fails(self, *arguments: str, stdin: str = "", code: int = 1) -> str:
        """What the program says of its failure."""
        return self.run(*arguments, stdin=stdin, code=code).err

    def get(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.out("get", *arguments, "-o", "json"))
        return found
