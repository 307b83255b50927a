"""What `cybernetes certs` refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cybernetes.base.errors import EdgeError
from cybernetes.cli.certs import command
from cybernetes.run import config as cluster_config
from cybernetes.run.config import ClusterConfig, StoreConfig
from cybernetes.run.layout import Layout


@pytest.mark.parametrize("verb", ["renew", "rotate-ca", "rotate-sa"])
def test_a_cluster_that_was_named_before_the_verb_is_not_mistaken_for_the_default_one(
    tmp_path: Path, verb: str
) -> None:
    done = CliRunner().invoke(command, ["--data-dir", str(tmp_path), verb])
    assert (done.exit_code, f"type --data-dir behind {verb}" in done.output) == (2, True)


def test_the_authority_is_not_rotated_from_a_node(tmp_path: Path) -> None:
    cluster_config.write(Layout(tmp_path).config, ClusterConfig(joined=True))
    done = CliRunner().invoke(command, ["rotate-ca", "--data-dir", str(tmp_path)])
    assert (done.exit_code, "where the control plane is" in done.output) == (1, True)


@pytest.mark.parametrize(
    ("store", "why"),
    [
        (StoreConfig(), "there is no etcd"),
        (StoreConfig(kind="etcd", endpoints=("10.0.0.5:2379",)), "it is not run by this cluster: replace it there"),
    ],
)
def test_the_authority_of_an_etcd_that_is_not_ours_is_not_rotated(tmp_path: Path, store: StoreConfig, why: str) -> None:
    cluster_config.write(Layout(tmp_path).config, ClusterConfig(store=store))
    with pytest.raises(EdgeError, match=why):
        CliRunner().invoke(
            command, ["rotate-ca", "--authority", "etcd", "--data-dir", str(tmp_path)], catch_exceptions=False
        )
