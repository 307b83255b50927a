"""Who authenticates beside the cluster itself, as the API server's flags ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cybernetes.auth.authn import Nobody, Others
from cybernetes.auth.https import Get, Post
from cybernetes.auth.token_webhook import TokenWebhook
from cybernetes.base.clock import Clock
from cybernetes.base.duration import parse as parse_duration
from cybernetes.run.apiserver_args import ApiServerArgs
from cybernetes.run.start.reload import Reloaded, unusable
from cybernetes.run.start.webhooks import open_webhook


class Authentication:
    """others: what the server's authenticator looks at. reloaded: to run beside the server; None without a file.

    issuers  names of service accounts' own issuers, which no configuration may claim
    """

    def __init__(self, args: ApiServerArgs, issuers: Sequence[str], audiences: Sequence[str], clock: Clock) -> None:
        self._args = args
        self._own = tuple(issuers)
        self._clock = clock
        self._gets: list[Get] = []
        self._post: Post | None = None
        self.others = Others((), self._webhook(tuple(audiences)), self._nobody())
        path = args.authentication_config
        self.reloaded = Reloaded("authentication", Path(path), self._use, clock) if path else None

    async def start(self) -> None:
        """Raises EdgeError for files and flags that can't be used."""
        if self.reloaded is not None:
            if self._args.oidc_issuer_url:
                raise unusable(self._args.authentication_config, "--oidc-issuer-url can't be set together with a file")
            await self.reloaded.start()
        elif self._args.oidc_issuer_url:
            self._use_flags()

    async def close(self) -> None:
        for each in (*self._gets, *([self._post] if self._post is not None else ())):
            await each.close()

    async def _use(self, contents: bytes) -> None:
        from cybernetes.auth.oidc import config
        from cybernetes.auth.oidc.issuer import JwtIssuer

        try:
            found = config.parse(contents, self._own)
        except config.ConfigError as wrong:
            raise unusable(self._args.authentication_config, str(wrong)) from wrong
        gets = [Get(each.issuer.certificate_authority.encode()) for each in found.jwt]
        issuers = [JwtIssuer(jwt, get, self._clock) for jwt, get in zip(found.jwt, gets, strict=True)]
        nobody = self._nobody()
        if found.anonymous is not None:
            paths = frozenset(each.path for each in found.anonymous.conditions)
            nobody = Nobody(found.anonymous.enabled, paths or None)
        self.others.change(issuers, nobody)
        former, self._gets = self._gets, gets
        for each in former:
            await each.close()

    def _use_flags(self) -> None:
        from cybernetes.auth.oidc import flags
        from cybernetes.auth.oidc.config import ConfigError
        from cybernetes.auth.oidc.issuer import JwtIssuer

        args = self._args
        try:
            authority = Path(args.oidc_ca_file).read_text() if args.oidc_ca_file else ""
            jwt = flags.issuer_of(
                flags.Flags(
                    args.oidc_issuer_url,
                    args.oidc_client_id,
                    args.oidc_username_claim,
                    args.oidc_username_prefix,
                    args.oidc_groups_claim,
                    args.oidc_groups_prefix,
                    args.oidc_required_claim,
                    authority,
                ),
                self._own,
            )
        except (ConfigError, OSError) as wrong:
            raise unusable("--oidc-* flags", str(wrong)) from wrong
        get = Get(authority.encode())
        self._gets.append(get)
        self.others.change([JwtIssuer(jwt, get, self._clock, args.oidc_signing_algs)], self._nobody())

    def _nobody(self) -> Nobody:
        """Who is not known may ask for health, unless a file says otherwise."""
        return Nobody(self._args.anonymous_auth)

    def _webhook(self, audiences: tuple[str, ...]) -> TokenWebhook | None:
        file = self._args.authentication_token_webhook_config_file
        if not file:
            return None
        ttl_s = parse_duration(self._args.authentication_token_webhook_cache_ttl)
        self._post = Post(*open_webhook(file))
        return TokenWebhook(self._post, audiences, ttl_s, self._clock)
