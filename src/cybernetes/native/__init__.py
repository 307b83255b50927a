"""The door to compiled code: each kernel's compiled form, or its plain Python twin where it was not built.

enters   flat arrays and scalars
leaves   flat arrays and bytes
holds    a twin gives what its kernel gives, for every input; CYBERNETES_NATIVE=twin chooses the twins
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def kind() -> str:
    """`compiled`, or `twin` where the kernels were not built or CYBERNETES_NATIVE=twin asks for the twins."""
    if os.environ.get("CYBERNETES_NATIVE") == "twin" or find_spec("cybernetes_native.score") is None:
        return "twin"
    return "compiled"


def load(name: str) -> ModuleType:
    """The compiled module of this name, or the twin of the same name here."""
    package = "cybernetes_native" if kind() == "compiled" else "cybernetes.native"
    return import_module(f"{package}.{name}")
