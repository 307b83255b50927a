"""In which order who is asked whether a request may be, as the API server's flags ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cybernetes.auth import authz_config
from cybernetes.auth.access_webhook import AccessWebhook, Terms
from cybernetes.auth.authz import Always, Authorizer, Decision, Verdict
from cybernetes.auth.https import Post
from cybernetes.auth.order import Order
from cybernetes.base.clock import Clock
from cybernetes.base.duration import parse as parse_duration
from cybernetes.run.apiserver_args import ApiServerArgs
from cybernetes.run.start.reload import Reloaded, unusable
from cybernetes.run.start.webhooks import open_webhook

_ALWAYS = {
    "AlwaysAllow": Always(Decision(Verdict.ALLOW)),
    "AlwaysDeny": Always(Decision(Verdict.NO_OPINION, "Everything is forbidden.")),
}


class Authorization:
    """order: what the server's chain follows. reloaded: to run beside the server; None without a file."""

    def __init__(self, args: ApiServerArgs, clock: Clock) -> None:
        self._args = args
        self._clock = clock
        self._posts: list[Post] = []
        self.order = Order()
        path = args.authorization_config
        self.reloaded = Reloaded("authorization", Path(path), self._use, clock) if path else None

    async def start(self) -> None:
        """Raises EdgeError for files and flags that can't be used."""
        if self.reloaded is not None:
            await self.reloaded.start()
        else:
            self.order.change([self._of_mode(each) for each in self._args.authorization_mode])

    async def close(self) -> None:
        for each in self._posts:
            await each.close()

    async def _use(self, contents: bytes) -> None:
        try:
            found = authz_config.parse(contents)
        except authz_config.ConfigError as wrong:
            raise unusable(self._args.authorization_config, str(wrong)) from wrong
        former, self._posts = self._posts, []
        try:
            members = [self._member(each) for each in found.authorizers]
        except BaseException:
            self._posts = former
            raise
        self.order.change(members)
        for post in former:
            await post.close()

    def _member(self, entry: authz_config.Entry) -> str | Authorizer:
        if entry.webhook is None:
            return _ALWAYS.get(entry.type, entry.type)
        return self._webhook(entry.webhook.kube_config, entry.webhook.terms(entry.name))

    def _of_mode(self, mode: str) -> str | Authorizer:
        args = self._args
        if mode not in authz_config.TYPES:
            raise unusable("--authorization-mode", f'"{mode}" is not served; {", ".join(authz_config.TYPES)} are')
        if mode != "Webhook":
            return _ALWAYS.get(mode, mode)
        if not args.authorization_webhook_config_file:
            raise unusable("--authorization-mode", "Webhook needs --authorization-webhook-config-file")
        terms = Terms(
            "webhook",
            timeout_s=authz_config.TIMEOUT_MAX_S,
            allowed_s=parse_duration(args.authorization_webhook_cache_authorized_ttl),
            other_s=parse_duration(args.authorization_webhook_cache_unauthorized_ttl),
        )
        return self._webhook(args.authorization_webhook_config_file, terms)

    def _webhook(self, file: str, terms: Terms) -> AccessWebhook:
        post = Post(*open_webhook(file))
        self._posts.append(post)
        return AccessWebhook(terms, post, self._clock)

    @property
    def modes(self) -> Sequence[str]:
        return self._args.authorization_mode
