"""An API server that asks others, over TLS: an issuer for its keys, webhooks for tokens and rights."""

import asyncio
import json

import jwt as pyjwt
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer
from cybernetes.auth import pki
from cybernetes.auth.access_webhook import AccessWebhook, Terms
from cybernetes.auth.authn import Others
from cybernetes.auth.https import Get, Post
from cybernetes.auth.oidc.config import parse
from cybernetes.auth.oidc.issuer import JwtIssuer
from cybernetes.auth.order import Order
from cybernetes.auth.token_webhook import TokenWebhook
from cybernetes.auth.user import User
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.run.start.webhooks import open_webhook
from cybernetes.store.memory import MemoryStore
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.server import HttpServer
from cybernetes.wire.http.tls import server_context

CLOCK, RANDOM = SystemClock(), SystemRandom()
PODS = "/api/v1/namespaces/shop/pods"


class Outside:
    """One server that is issuer and both webhooks."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.url = ""
        self.reviews: list[dict] = []

    async def handle(self, request: Request) -> Response:
        answer = self._answer(request)
        return Response(200, [("Content-Type", "application/json")], json.dumps(answer).encode())

    def _answer(self, request: Request):
        if request.path.endswith("openid-configuration"):
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if request.path == "/keys":
            public = pyjwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return {"keys": [{**public, "kid": "k", "use": "sig", "alg": "ES256"}]}
        asked = json.loads(request.body)
        self.reviews.append(asked)
        spec = asked["spec"]
        if asked["kind"] == "TokenReview":
            known = spec["token"] == "opaque"
            return {**asked, "status": {"authenticated": known, "user": {"username": "carol"}} if known else {}}
        allowed = spec["user"] in ("idp:ann", "carol") and spec["resourceAttributes"]["verb"] == "list"
        return {**asked, "status": {"allowed": allowed, "reason": "" if allowed else "lists only"}}


def configuration(url: str, ca: str):
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {"url": url, "audiences": ["cluster"], "certificateAuthority": ca},
                "claimMappings": {"username": {"claim": "sub", "prefix": "idp:"}},
            }
        ],
    }
    return parse(yaml.safe_dump(document).encode()).jwt[0]


def test_users_and_rights_that_others_know(tmp_path):
    async def scenario():
        terms = pki.Terms(CLOCK.now(), RANDOM)
        authority = pki.ca("outside-ca", terms)
        serving = pki.serving(authority, "outside", terms, names=("localhost",), addresses=("127.0.0.1",))
        (tmp_path / "crt").write_bytes(serving.certificate)
        (tmp_path / "key").write_bytes(serving.key)
        outside = Outside()
        http = HttpServer(outside.handle)
        port = await http.listen("127.0.0.1", 0, server_context(tmp_path / "crt", tmp_path / "key"))
        outside.url = f"https://127.0.0.1:{port}"
        (tmp_path / "ca").write_bytes(authority.certificate)
        kubeconfig = tmp_path / "hook.conf"
        cluster = {"server": f"{outside.url}/hook", "certificate-authority": "ca"}
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "contexts": [{"name": "c", "context": {"cluster": "c"}}],
                    "current-context": "c",
                }
            )
        )
        get, tokens, rights = (
            Get(authority.certificate),
            Post(*open_webhook(str(kubeconfig))),
            Post(*open_webhook(str(kubeconfig))),
        )
        issuer = JwtIssuer(configuration(outside.url, authority.certificate.decode()), get, CLOCK)
        config = ServerConfig(
            client_authorities=authority.certificate,
            service_account_key=pki.new_key(RANDOM),
            others=Others([issuer], TokenWebhook(tokens, ("https://kubernetes.default.svc.cluster.local",), 60, CLOCK)),
            order=Order(("Node", "RBAC", AccessWebhook(Terms("outside"), rights, CLOCK))),
        )
        server = ApiServer(MemoryStore(CLOCK), config, CLOCK, RANDOM)
        await server.start()

        async def ask(token, method="GET", **headers):
            bearer = {"authorization": f"Bearer {token}", "accept": "application/json"}
            response = await server.handle(Request(method, PODS, {"labelSelector": ["a=b"]}, {**bearer, **headers}))
            return response.status, json.loads(response.body)

        try:
            now = int(CLOCK.now())
            claims = {"iss": outside.url, "aud": "cluster", "sub": "ann", "exp": now + 600}
            token = pyjwt.encode(claims, outside.key, "ES256", {"kid": "k"})
            assert (await ask(token))[0] == 200
            assert outside.reviews[-1]["spec"]["resourceAttributes"]["labelSelector"]["requirements"] == [
                {"key": "a", "operator": "In", "values": ["b"]}
            ]
            status, refused = await ask(token, "DELETE")
            assert status == 403 and refused["message"].endswith("lists only")
            assert (await ask("opaque"))[0] == 200
            assert (await ask("other"))[0] == 401
            review = json.dumps({"spec": {"namespace": "shop"}}).encode()
            path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
            bearer = {"content-type": "application/json"}
            rules = json.loads(
                (
                    await server.handle_as(
                        User("root", groups=("system:masters",)), Request("POST", path, {}, bearer, review)
                    )
                ).body
            )
            assert rules["status"]["incomplete"] and "webhook authorizer" in rules["status"]["evaluationError"]
            count = len(outside.reviews)
            assert (await ask("opaque"))[0] == 200
            assert len(outside.reviews) == count, "answers are remembered"
        finally:
            await server.stop()
            for each in (get, tokens, rights):
                await each.close()
            await http.stop(1)

    asyncio.run(scenario())
