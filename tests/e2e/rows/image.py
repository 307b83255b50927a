"""Packs the image of the test pods: Python with what `web.py` imports, busybox with a name for each of its tools."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cybernetes.install.oci import ImageConfig, pack, write_archive

WEB = "test.cybernetes/web:1"
PYTHON = Path("/usr/bin/python3")
_PROGRAM = Path(__file__).parent / "web.py"
_LIST = """
import sys, json; sys.path.insert(0, sys.argv[1]); import web, encodings.idna, encodings.latin_1
print(json.dumps([m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)]))
"""


def write(archive: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder) / "web.pem"
        certificate.write_bytes(_self_signed())
        files = {"/web.py": _PROGRAM, "/web.pem": certificate, **_python(), **_busybox(Path(folder))}
        image = pack(files, ImageConfig(command=["/usr/bin/python3", "/web.py", "http=80"], environment=["PATH=/bin"]))
        write_archive(image, WEB, archive)


def _python() -> dict[str, Path]:
    """The interpreter, the modules that the program has loaded, and the libraries of both."""
    interpreter = PYTHON.resolve()
    listed = subprocess.run([PYTHON, "-I", "-S", "-c", _LIST, _PROGRAM.parent], capture_output=True, check=True)
    modules = [Path(each) for each in json.loads(listed.stdout) if each != str(_PROGRAM)]
    compiled = [each for each in modules if each.suffix == ".so"]
    libraries = {library for each in [interpreter, *compiled] for library in _libraries(each)}
    return {"/usr/bin/python3": interpreter, **{str(each): each.resolve() for each in [*modules, *sorted(libraries)]}}


def _libraries(binary: Path) -> list[Path]:
    told = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    return [Path(each) for each in re.findall(r"(/\S+) \(0x", told)]


def _busybox(folder: Path) -> dict[str, Path]:
    busybox = Path("/bin/busybox")
    files = {"/bin/busybox": busybox}
    for tool in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if tool != "busybox":
            link = folder / f"link-{tool}"
            link.symlink_to("busybox")
            files[f"/bin/{tool}"] = link
    return files


def _self_signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "web")])
    begins = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(begins.replace(year=2100))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + builder.sign(key, hashes.SHA256()).public_bytes(pem)
