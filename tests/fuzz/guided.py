"""The same targets, guided by coverage: what reaches code that nothing reached before is changed further.

    python tests/fuzz/guided.py            every target in turn, GUIDED_RUNS inputs each
    python tests/fuzz/guided.py NAME       one of them, until it fails or has had its runs

Says so and ends where atheris is not installed: pip install -e '.[fuzz]'.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
MODULES = tuple(sorted(path.stem for path in HERE.glob("test_fuzz_*.py")))
RUNS = int(os.environ.get("GUIDED_RUNS", "20000"))
# Of one input. Whatever a client sends is answered before this.
HANG_S = 10


def targets() -> dict[str, Callable[[bytes], bytes | None]]:
    """What takes bytes, by the name of its test."""
    found = {}
    for module in map(importlib.import_module, MODULES):
        for name, test in vars(module).items():
            if name.startswith("test_") and hasattr(test, "hypothesis"):
                found[name] = test.hypothesis.fuzz_one_input
    return found


def one(name: str) -> None:
    """Does not return: the engine ends the process, with 0 when nothing failed."""
    import atheris

    with atheris.instrument_imports(include=["cybernetes"]):
        target = targets()[name]
    options = [f"-runs={RUNS}", f"-timeout={HANG_S}", f"-artifact_prefix=/tmp/{name}-", "-print_final_stats=1"]
    atheris.Setup([name, *options], target)
    atheris.Fuzz()


def every() -> int:
    """How many targets failed."""
    failed = 0
    for name in targets():
        done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=False)
        failed += done.returncode != 0
        print(f"{'ok' if done.returncode == 0 else 'FAILED':8}{name}", flush=True)
        if done.returncode:
            print(done.stdout + done.stderr)
    return failed


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: pip install -e '.[fuzz]'")
    elif len(sys.argv) > 1:
        one(sys.argv[1])
    else:
        sys.exit(every())
