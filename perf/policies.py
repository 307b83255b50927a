"""Admission policies and expressions: what writes pay for them. `python perf/policies.py [--json]`

The server runs in this process. A whole write is a dry run over one plain connection behind TLS; of policies the
admission of one pod is measured, without and with them. Processor time, the best of some rounds; the ways take turns,
so that what else the machine does falls on all of them alike. Rules are measured without a server.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))

from api import Connection, connect, namespace, pod
from apiserver_fixture import serving_apiserver
from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.admission.chain import Admission
from cybernetes.auth.user import User
from cybernetes.model.expressions import places
from cybernetes.model.expressions.rules import RuleExpressions
from cybernetes.model.schema.custom.structural import Structural
from cybernetes.wire.http.tls import client_context

ROUNDS, WRITES, OTHERS = 15, 40, 20
REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
PODS = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
SETTLE_S = 0.2
Row = tuple[str, float, str]

VALIDATION = {
    "expression": "object.spec.containers.all(c, has(c.resources.limits) && !c.image.endsWith(':latest'))",
    "messageExpression": "'pin the images of ' + object.metadata.name",
}
MUTATIONS = {
    "apply": {
        "patchType": "ApplyConfiguration",
        "applyConfiguration": {"expression": "Object{metadata: Object.metadata{labels: {'by': 'policy'}}}"},
    },
    "patch": {
        "patchType": "JSONPatch",
        "jsonPatch": {"expression": "[JSONPatch{op: 'add', path: '/metadata/labels/by', value: 'policy'}]"},
    },
}


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="cybernetes-perf-") as folder:
        async with serving_apiserver(Path(folder)) as api:
            await api.server.ready()
            connection = await connect(api.url, client_context(api.ca, api.certificate, api.key))
            await namespace(connection, "perf")
            admission = api.server.core.admission
            assert admission is not None
            return [*await writes(connection, admission), *rules()]


async def writes(connection: Connection, admission: Admission) -> list[Row]:
    ways: dict[str, Callable[[], Any]] = {
        "none": lambda: asyncio.sleep(0),
        "others": lambda: others(connection),
        "validating": lambda: validating(connection),
        "apply": lambda: mutating(connection, "apply"),
        "patch": lambda: mutating(connection, "patch"),
    }
    best = dict.fromkeys(ways, float("inf"))
    whole = float("inf")
    for _ in range(ROUNDS):
        for name, put in ways.items():
            await put()
            await asyncio.sleep(SETTLE_S)
            best[name] = min(best[name], await one_admission(admission))
            if name == "none":
                whole = min(whole, await one_write(connection))
            await clear(connection)
            await asyncio.sleep(SETTLE_S)
    plain = best["none"]
    return [
        ("a create, dry run, without policies", whole * 1e6, "us"),
        (f"{OTHERS} policies that do not match: more", (best["others"] - plain) / whole * 100, "%"),
        ("one validating policy", (best["validating"] - plain) * 1e6, "us"),
        ("one mutating policy, apply configuration", (best["apply"] - plain) * 1e6, "us"),
        ("one mutating policy, JSON patch", (best["patch"] - plain) * 1e6, "us"),
    ]


async def one_write(connection: Connection) -> float:
    body, path = pod("p"), "/api/v1/namespaces/perf/pods?dryRun=All"
    started = time.process_time()
    for _ in range(WRITES):
        status, answer = await connection.call("POST", path, body)
        assert status == 201, answer
    return (time.process_time() - started) / WRITES


async def one_admission(admission: Admission) -> float:
    """Seconds of both phases, whatever the other plugins do included."""
    obj = json.loads(pod("p"))
    obj["spec"]["serviceAccountName"] = "default"
    user = User("kubernetes-admin", groups=("system:masters",))
    total = 0.0
    for _ in range(WRITES):
        attributes = AdmissionAttributes(
            operation="CREATE",
            group="",
            version="v1",
            kind="Pod",
            plural="pods",
            namespace="perf",
            name="p",
            object=json.loads(json.dumps(obj)),
            user=user,
            dry_run=True,
        )
        started = time.process_time()
        await admission.mutate(attributes)
        await admission.validate(attributes)
        total += time.process_time() - started
    return total / WRITES


async def put(connection: Connection, kind: str, name: str, spec: dict[str, Any], **binding: Any) -> None:
    made = {"metadata": {"name": name}, "spec": spec}
    bound = {"metadata": {"name": name}, "spec": {"policyName": name, **binding}}
    for plural, body in ((f"{kind}admissionpolicies", made), (f"{kind}admissionpolicybindings", bound)):
        status, answer = await connection.call("POST", f"{REGISTRATION}/{plural}", json.dumps(body).encode())
        assert status == 201, answer


async def clear(connection: Connection) -> None:
    for kind in ("validating", "mutating"):
        for plural in ("policies", "policybindings"):
            await connection.call("DELETE", f"{REGISTRATION}/{kind}admission{plural}")


async def others(connection: Connection) -> None:
    rule = {**PODS, "apiGroups": ["apps"], "resources": ["deployments"]}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [VALIDATION]}
    for n in range(OTHERS):
        await put(connection, "validating", f"other-{n}", spec, validationActions=["Deny"])


async def validating(connection: Connection) -> None:
    spec = {"matchConstraints": {"resourceRules": [PODS]}, "validations": [VALIDATION]}
    await put(connection, "validating", "one", spec, validationActions=["Deny"])


async def mutating(connection: Connection, way: str) -> None:
    spec = {
        "matchConstraints": {"resourceRules": [PODS]},
        "mutations": [MUTATIONS[way]],
        "reinvocationPolicy": "Never",
    }
    await put(connection, "mutating", "one", spec)


def rules() -> list[Row]:
    """A typical rule of a custom resource."""
    numbers = {name: {"type": "integer"} for name in ("minReplicas", "replicas", "maxReplicas")}
    schema = Structural({"type": "object", "properties": numbers})
    self_type = RuleExpressions(schema).type
    assert self_type is not None
    text = "self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas"
    environment = places.rule(self_type, optional_old=False)
    program = environment.compile(text)
    values = {"self": {"minReplicas": 1, "replicas": 2, "maxReplicas": 3}}
    return [
        ("a rule compiled", best_us(lambda: environment.checked(text), 300), "us"),
        ("a rule evaluated", best_us(lambda: program.evaluate(values), 3000), "us"),
    ]


def best_us(work: Callable[[], Any], count: int) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(count):
            work()
        best = min(best, (time.process_time() - started) / count)
    return best * 1e6


def main() -> None:
    rows = asyncio.run(measure())
    if "--json" in sys.argv:
        print(json.dumps([{"name": name, "value": value, "unit": unit} for name, value, unit in rows]))
        return
    for name, value, unit in rows:
        print(f"{name:<48}{value:>10.1f} {unit}")


if __name__ == "__main__":
    main()
