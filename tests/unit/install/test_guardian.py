import subprocess

from cybernetes.install.guardian import wait_for


def test_the_chore_is_done_until_the_child_ends():
    child = subprocess.Popen(["sleep", "60"])
    done = []

    def chore() -> None:
        done.append(child.poll())
        if len(done) == 2:
            child.kill()

    wait_for(child.pid, chore, 0.001)
    assert child.wait() == -9 and len(done) >= 2
