"""Tokens of Secrets: on which day they were used last stands in a label."""

from __future__ import annotations

import asyncio
from pathlib import Path

from calls import Client, Object

from apiserver_fixture import serving_apiserver
from cybernetes.auth.tokens import Issuer, Reference
from cybernetes.base.clock import SystemClock, rfc3339
from cybernetes.base.random import SystemRandom


def test_the_day_of_its_last_use_is_noted_in_a_tokens_secret(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            transport = api.transport()
            client = Client(transport)
            try:
                path = await client.namespace("shop")
                account = await client.ok("POST", f"{path}/serviceaccounts", {"metadata": {"name": "bot"}})
                annotations = {"kubernetes.io/service-account.name": "bot"}
                secret: Object = {"metadata": {"name": "bot-token", "annotations": annotations}}
                secret["type"] = "kubernetes.io/service-account-token"
                await client.ok("POST", f"{path}/secrets", secret)
                issuer = Issuer(api.server.config.service_account_key, SystemClock(), SystemRandom())
                token = issuer.issue_legacy("shop", Reference("bot", account["metadata"]["uid"]), "bot-token")
                days = [rfc3339(SystemClock().now())[:10]]
                reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
                reviewed = await client.ok("POST", reviews, {"spec": {"token": token}})
                assert reviewed["status"]["user"]["username"] == "system:serviceaccount:shop:bot"
                labels: Object = {}
                async with asyncio.timeout(60):
                    while not labels:
                        labels = (await client.ok("GET", f"{path}/secrets/bot-token"))["metadata"].get("labels") or {}
                days.append(rfc3339(SystemClock().now())[:10])
                assert labels["kubernetes.io/legacy-token-last-used"] in days
            finally:
                await transport.close()

    asyncio.run(main())
