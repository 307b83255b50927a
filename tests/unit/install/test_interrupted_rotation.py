"""A rotation that ends in the midst of any of its writes is gone on with, and ends where it would have ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from cybernetes.auth import pki
from cybernetes.base.errors import EdgeError
from cybernetes.install import authority, members, sealing
from cybernetes.install import pki as machine
from cybernetes.install.authority import CLUSTER, ETCD, FRONT_PROXY, Authority, Target
from cybernetes.run import files
from cybernetes.run.config import ClusterConfig, StoreConfig
from cybernetes.run.layout import Layout

CONFIG = ClusterConfig(registry=False)


class Crash(BaseException):
    """The machine is gone; nobody catches that."""


class Disk:
    """Renames and removals go through until so many are over."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for verb in ("replace", "unlink"):
            patch.setattr(Path, verb, self._counted(getattr(Path, verb)))

    def _counted(self, do):  # type: ignore[no-untyped-def]
        def counted(path: Path, *arguments, **named):  # type: ignore[no-untyped-def]
            if self.left == 0:
                raise Crash
            self.left -= 1
            return do(path, *arguments, **named)

        return counted


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "users"))
    made = Layout(tmp_path / "data")
    machine.ensure(CONFIG, made)
    return made


def _bundle(layout: Layout, of: Authority) -> list[bytes]:
    return pki.bundle(files.of(layout, of.file).certificate.read_bytes())


def _leaf(layout: Layout, of: Authority) -> bytes:
    name = {"cluster": "apiserver", "front-proxy": "front-proxy-client", "etcd": "etcd"}[of.name]
    return files.of(layout, name).certificate.read_bytes()


@pytest.mark.parametrize("of", [CLUSTER, FRONT_PROXY, ETCD], ids=lambda of: of.name)
@pytest.mark.parametrize("step", authority.STEPS)
def test_a_step_is_repeated_wherever_it_ended(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, of: Authority, step: str
) -> None:
    for before in authority.STEPS[: authority.STEPS.index(step)]:
        authority.adopt(CONFIG, layout, of, authority.target(layout, of, before))
    disk = Disk(monkeypatch)
    wanted = authority.target(layout, of, step)
    writes = 0
    while True:
        disk.left = writes
        try:
            authority.adopt(CONFIG, layout, of, wanted)
            break
        except Crash:
            writes += 1
    disk.left = -1
    assert writes > 1
    assert files.of(layout, of.file).certificate.read_bytes() == wanted.bundle
    signer = _bundle(layout, of)[0]
    assert pki.is_issued_by(pki.bundle(_leaf(layout, of))[0], signer)
    assert len(pki.bundle(_leaf(layout, of))) == (2 if of.bridged and step == "switch" else 1)
    assert authority.next_step(layout, of) == {"begin": "switch", "switch": "finish", "finish": "begin"}[step]
    assert authority.left(layout, of, wanted) == ()


def test_a_machine_that_was_late_takes_all_the_steps_that_it_missed(layout: Layout, tmp_path: Path) -> None:
    late = Layout(tmp_path / "late")
    for path in layout.pki.iterdir():
        machine.write_private(late.pki / path.name, path.read_bytes())
    for step in ("begin", "switch"):
        wanted = authority.target(layout, FRONT_PROXY, step)
        authority.adopt(CONFIG, layout, FRONT_PROXY, wanted)
    authority.adopt(CONFIG, late, FRONT_PROXY, wanted)
    assert files.front_proxy_ca(late).read() == files.front_proxy_ca(layout).read()


def test_what_does_not_follow_on_the_own_authority_is_not_adopted(layout: Layout, tmp_path: Path) -> None:
    other = Layout(tmp_path / "other")
    machine.ensure(CONFIG, other)
    foreign = authority.target(other, CLUSTER, "begin")
    former = authority.target(layout, CLUSTER, "begin")
    for step in authority.STEPS:
        authority.adopt(CONFIG, layout, CLUSTER, authority.target(layout, CLUSTER, step))
    kept = files.ca(layout).read()
    with pytest.raises(EdgeError, match="none that follows"):
        authority.adopt(CONFIG, layout, CLUSTER, foreign)
    authority.adopt(CONFIG, layout, CLUSTER, former)
    assert files.ca(layout).read() == kept, "what is over is no way back"


def test_machines_are_waited_for_until_they_say_it(layout: Layout) -> None:
    bundle = files.ca(layout).certificate.read_bytes()
    config = ClusterConfig(store=StoreConfig(kind="etcd", endpoints=("10.0.0.5:2379",)))
    said = {"a": members.saying(config, layout), "b": "address=10.0.0.2 node=n2 ca=sha256:00", "here": ""}
    assert members.behind(said, "here", CLUSTER, bundle) == ["b"]
    assert members.behind(said, "here", FRONT_PROXY, files.front_proxy_ca(layout).certificate.read_bytes()) == ["b"]
    assert members.told(said, "address") == {"127.0.0.1", "10.0.0.2"}
    assert members.told(said, "node") == {"n2"}
    assert members.has_others(config) and not members.has_others(CONFIG)


class Given:
    def token(self, size: int) -> bytes:
        return bytes(size)


def test_what_is_sealed_is_opened_with_its_key_and_under_its_name_only() -> None:
    key = bytes(range(sealing.KEY_BYTES))
    data = sealing.sealed({"a": b"one", "b": b"two"}, key, Given())  # type: ignore[arg-type]
    assert sealing.opened(data, ("a", "c"), key) == {"a": b"one"}
    with pytest.raises(ValueError, match="another key"):
        sealing.opened(data, ("a",), bytes(sealing.KEY_BYTES))
    with pytest.raises(ValueError, match="another key"):
        sealing.opened({"b": data["a"]}, ("b",), key)


def test_an_authority_of_an_etcd_that_others_run_is_left_as_it_is(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    elsewhere = Layout(tmp_path / "elsewhere")
    machine.ensure(CONFIG, elsewhere)
    for where in (files.etcd_client(elsewhere).certificate, files.etcd_client(elsewhere).key):
        machine.write_private(layout.pki / where.name, where.read_bytes())
    given = files.etcd_ca(elsewhere).certificate.read_bytes()
    machine.write_private(files.etcd_ca(layout).certificate, given)
    machine.ensure(ClusterConfig(store=StoreConfig(kind="etcd", endpoints=("10.0.0.5:2379",))), layout)
    assert files.etcd_ca(layout).certificate.read_bytes() == given
    assert not files.etcd_ca(layout).key.exists()
    assert files.etcd_client(layout).read() == files.etcd_client(elsewhere).read()


def test_a_target_tells_who_signs_first(layout: Layout) -> None:
    own = files.ca(layout).certificate.read_bytes()
    wanted = authority.target(layout, CLUSTER, "begin")
    assert wanted == Target(own + wanted.newest.certificate, wanted.newest)
    authority.adopt(CONFIG, layout, CLUSTER, wanted)
    assert authority.target(layout, CLUSTER, "switch").bundle == wanted.newest.certificate + own
