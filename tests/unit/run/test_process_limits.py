"""How many files a component may have open."""

import os
import resource
from pathlib import Path

from cybernetes.run.process import FILES_MAX, allow_many_files, fork_component


def with_a_small_limit() -> None:
    """Ends with 0 when the limit is as high as it may be afterwards."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    allow_many_files()
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    raise SystemExit(0 if resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard) else 1)


def test_a_component_may_open_as_many_files_as_the_machine_allows(tmp_path: Path) -> None:
    pid = fork_component(with_a_small_limit, title="component", log=tmp_path / "log", environment={})
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
