"""Who may do what at the API server, as its flags and files ask for it: tokens, authentication, authorization."""

from __future__ import annotations

from pathlib import Path

from cybernetes.auth import pki
from cybernetes.base.clock import Clock
from cybernetes.run import files
from cybernetes.run.start import Setting
from cybernetes.run.start.authentication import Authentication
from cybernetes.run.start.authorization import Authorization
from cybernetes.run.start.reload import Reloaded, unusable


class Access:
    """issuers: names in service account tokens, the one that is written first. former_keys: that are read too."""

    def __init__(self, setting: Setting, clock: Clock) -> None:
        args, domain = setting.config.api_server.extra_args, setting.config.network.cluster_domain
        self.issuers = args.service_account_issuer or (f"https://kubernetes.default.svc.{domain}",)
        signing = Path(args.service_account_signing_key_file or files.service_account_key(setting.layout))
        self.signing_key = _read(signing)
        former = (*files.former_service_account_keys(setting.layout), *map(Path, args.service_account_key_file))
        self.former_keys = tuple(_public(each) for each in former)
        audiences = args.api_audiences or self.issuers
        self.authentication = Authentication(args, self.issuers, audiences, clock)
        self.authorization = Authorization(args, clock)

    async def start(self) -> None:
        """Raises EdgeError for files and flags that can't be used."""
        await self.authentication.start()
        await self.authorization.start()

    async def close(self) -> None:
        await self.authentication.close()
        await self.authorization.close()

    @property
    def files(self) -> tuple[Reloaded, ...]:
        """Those that are taken up again when they change."""
        found = (self.authentication.reloaded, self.authorization.reloaded)
        return tuple(each for each in found if each is not None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as missing:
        raise unusable(path, str(missing)) from missing


def _public(path: Path) -> bytes:
    """The public key of a file that has it, or the private one."""
    pem = _read(path)
    try:
        return pki.public_key(pem) if b"PRIVATE KEY" in pem else pem
    except ValueError as wrong:
        raise unusable(path, str(wrong)) from wrong
