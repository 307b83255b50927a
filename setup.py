"""The extension list and the generate step; metadata is in pyproject.toml."""

import os
import subprocess
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PACKAGE = ROOT / "src/cybernetes"
sys.path.insert(0, str(ROOT / "proto"))

DEBUG = os.environ.get("CYBERNETES_DEBUG_BUILD") == "1"
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": DEBUG,
}


def extensions() -> list[Extension]:
    found = sorted((ROOT / "ext" / "cybernetes_native").glob("*.pyx"))
    return [Extension(f"cybernetes_native.{each.stem}", [str(each.relative_to(ROOT))]) for each in found]


def compile_static(program: Path, *sources: Path) -> None:
    """A program that needs no library: the sandbox image's only one, one that runs in any root, one that starts fast."""
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-static", "-Os", "-s", "-o", str(program), *map(str, sources)], check=True)


class Generate(build_py):
    """Compiles what proto/ and C sources hold into package data before the package is collected."""

    def run(self) -> None:
        import generate_grpc
        import generate_schema

        generate_schema.generate(ROOT)
        generate_grpc.generate(ROOT)
        for name in ("install/images/pause", "install/own_root"):
            compile_static(PACKAGE / name, PACKAGE / f"{name}.c")
        json = PACKAGE / "network/cni/json.c"
        compile_static(PACKAGE / "install/shim_start", PACKAGE / "install/shim_start.c", json)
        compile_static(PACKAGE / "network/cni/plugin", *sorted((PACKAGE / "network/cni").glob("*.c")))
        super().run()


setup(
    packages=[*find_packages("src"), "cybernetes_native"],
    ext_modules=cythonize(
        extensions(),
        compiler_directives=DIRECTIVES,
        annotate=os.environ.get("ANNOTATE") == "1",
        build_dir="build/cython",
    ),
    cmdclass={"build_py": Generate},
)
