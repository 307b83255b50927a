"""Flags of components that `cybernetes COMPONENT` takes under the names that Kubernetes' own have."""

from __future__ import annotations

import pytest

from cybernetes.cli.component import command, with_flags
from cybernetes.run.config import ServingConfig


@pytest.mark.parametrize(
    ("component", "flags", "wanted"),
    [
        ("scheduler", (None, None), ServingConfig()),
        ("scheduler", (None, 0), ServingConfig(scheduler_port=0)),
        ("scheduler", ("10.0.0.1", 11259), ServingConfig(bind_address="10.0.0.1", scheduler_port=11259)),
        ("controller-manager", ("::1", 11257), ServingConfig(bind_address="::1", controller_manager_port=11257)),
        ("kubelet", (None, None), ServingConfig()),
    ],
)
def test_a_flag_goes_before_the_configuration(
    component: str, flags: tuple[str | None, int | None], wanted: ServingConfig
) -> None:
    assert with_flags(component, ServingConfig(), flags) == wanted


@pytest.mark.parametrize(
    ("component", "has"), [("scheduler", True), ("controller-manager", True), ("kubelet", False), ("apiserver", False)]
)
def test_only_who_serves_there_has_the_flag(component: str, has: bool) -> None:
    assert any("--secure-port" in each.opts for each in command(component, "").params) is has
