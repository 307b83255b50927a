"""What `cybernetes certs` refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cybernetes.cli.certs import command
from cybernetes.run import config as cluster_config
from cybernetes.run.config import ClusterConfig
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
