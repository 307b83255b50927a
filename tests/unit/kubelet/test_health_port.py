"""What port 10248 tells: whether the kubelet is well, and nothing else. What 10250 says of containers that do not run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cybernetes.base.errors import ApiError
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.serve.find import running_instance
from cybernetes.kubelet.serve.server import answer_health, health_of
from cybernetes.wire.http.message import Request


@pytest.mark.parametrize(
    ("path", "trouble", "code", "text"),
    [
        ("/healthz", "", 200, "ok"),
        ("/healthz", "PLEG is not healthy", 500, "[+]ping ok\n[+]log ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n"),
        ("/healthz/syncloop", "", 200, "ok"),
        ("/healthz/ping", "PLEG is not healthy", 200, "ok"),
        ("/metrics", "", 404, "404 page not found\n"),
        ("/pods", "", 404, "404 page not found\n"),
    ],
)  # fmt: skip
def test_health_is_all_that_is_told(path: str, trouble: str, code: int, text: str) -> None:
    answer = answer_health(Request("GET", path), health_of(lambda: trouble))
    assert (answer.status, answer.body) == (code, text.encode())


def test_checks_are_counted_under_the_names_of_component_slis() -> None:
    health = health_of(lambda: "PLEG is not healthy")
    for path in ("/healthz", "/healthz/ping"):
        answer_health(Request("GET", path), health)
    counted = bytes(health.slis().body).decode()  # type: ignore[arg-type]
    assert 'kubernetes_healthcheck{name="syncloop",type="healthz"} 0' in counted
    assert 'kubernetes_healthchecks_total{name="ping",status="success",type="healthz"} 2' in counted
    assert 'kubernetes_healthchecks_total{name="syncloop",status="error",type="healthz"} 1' in counted


def test_a_container_that_does_not_run_is_named_and_clients_say_the_rest() -> None:
    worker: Any = SimpleNamespace(observed=Observed())
    with pytest.raises(ApiError) as refused:
        running_instance(worker, "c")
    assert (refused.value.code, refused.value.message) == (500, 'container not found ("c")')
