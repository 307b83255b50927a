"""Recorded answers of the reference: access decisions and bootstrap objects."""

import asyncio
import importlib.util
import json
import os
from pathlib import Path

import pytest
from running_server import running

GOLDEN = Path(os.environ.get("CYBERNETES_GOLDEN", Path(__file__).parents[3].parent / "shared" / "golden"))
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
# Served since 1.37, a version after the recording; who migrates; who publishes bundles, and who reads them.
NEWER = {
    "v1.storagemigration.k8s.io",
    "system:controller:storage-version-migrator-controller",
    "system:controller:kube-apiserver-serving-clustertrustbundle-publisher",
    "system:cluster-trust-bundle-discovery",
}

pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no recorded answers in {GOLDEN}")


def rows(theme):
    return [json.loads(line) for line in (GOLDEN / f"{theme}.jsonl").read_text().splitlines()]


def load_cases():
    spec = importlib.util.spec_from_file_location("cases", GOLDEN / "cases.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_recorded_access_decision_is_ours():
    async def differing():
        async with running() as server:
            await server.namespace("golden")
            found = []
            for case in rows("access"):
                body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": case["spec"]}
                answer = await server.ask("POST", REVIEWS, body)
                if (answer.code, answer.body["status"]["allowed"]) != (201, case["status"]["allowed"]):
                    found.append((case, answer))
            return found

    assert asyncio.run(differing()) == []


def test_every_recorded_bootstrap_object_is_ours():
    cases = load_cases()

    def compared(body):
        body = cases.soft(cases.by_name(body))
        return {**body, "items": [each for each in body["items"] if each["metadata"]["name"] not in NEWER]}

    async def differing():
        async with running() as server:
            await server.namespace("golden")
            found = []
            for case in rows("bootstrap"):
                answer = await server.ask("GET", case["request"]["path"])
                want, have = compared(case["answer"]["body"]), compared(cases.normal(answer.body))
                if want != have:
                    found.append((case["request"]["path"], list(cases.differences(want, have))[:3]))
            return found

    assert asyncio.run(differing()) == []


def test_recorded_reviews_and_token_requests_are_answered_alike():
    cases = load_cases()

    async def differing():
        async with running() as server:
            await server.namespace("golden")
            found = []
            for case in rows("sequences"):
                request = case["request"]
                if "review" not in request["path"] and "/token" not in request["path"]:
                    continue
                answer = await server.ask(request["method"], request["path"], request.get("body"))
                want = cases.soft(cases.by_name(case["answer"]["body"]))
                have = cases.soft(cases.by_name(cases.normal(answer.body)))
                if (answer.code, have) != (case["answer"]["code"], want):
                    found.append((request["path"], list(cases.differences(want, have))[:3]))
            return found

    assert asyncio.run(differing()) == []
