"""Laws: changes one by one lead where planning everything leads; compiled and plain encoders agree."""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.base.random import SeededRandom
from cybernetes.native import iptext as plain_text
from cybernetes.native import nft as plain
from cybernetes.proxy import plan
from cybernetes.proxy.diff import Ledger
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.packets.fake import FakePackets
from cybernetes.proxy.packets.machine import Landed, Machine, Packet
from cybernetes.proxy.select import Selected
from cybernetes.proxy.state import PortView

SETTINGS = Settings(
    LocalPods(("10.244.0.0/16",)), nodeport_ips=(bytes((10, 0, 0, 1)),), node_ips=(bytes((10, 0, 0, 1)),)
)
NAMES = [f"ns/s{n}" for n in range(5)]
targets = st.lists(
    st.integers(1, 6).map(lambda n: bytes((10, 244, 0, n)) + (8080).to_bytes(2, "big")), unique=True, max_size=4
).map(lambda found: tuple(sorted(found)))
externals = st.lists(
    st.sampled_from([bytes((192, 0, 2, n)) for n in range(3)] + [bytes((10, 96, 0, 1))]), unique=True, max_size=2
).map(tuple)


@st.composite
def views(draw: st.DrawFn, name: str) -> PortView:
    cluster = draw(targets)
    local = draw(st.one_of(st.just(cluster[:1]), targets))
    return PortView(
        name=name,
        protocol=draw(st.sampled_from([6, 17])),
        cluster_ip=bytes((10, 96, 0, NAMES.index(name))),
        port=draw(st.sampled_from([80, 81])),
        selected=Selected(cluster, local, local, cluster),
        external_ips=draw(externals),
        ingress_ips=draw(externals),
        node_port=draw(st.sampled_from([0, 30080, 30081])),
        source_ranges=draw(st.sampled_from([(), ("10.0.0.0/8",), ("10.0.0.0/8", "10.1.0.0/16")])),
        affinity_s=draw(st.sampled_from([0, 0, 100, 200])),
        internal_local=draw(st.booleans()),
        external_local=draw(st.booleans()),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, PortView | None]]:
    """Bursts of changes: a service port has a name and a protocol; each name has one protocol at a time."""
    present: dict[str, PortView] = {}
    bursts: list[dict[str, PortView | None]] = []
    for _ in range(draw(st.integers(1, 6))):
        burst: dict[str, PortView | None] = {}
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)):
            old = present.pop(name, None)
            if old is not None:
                burst[old.key] = None
            if draw(st.booleans()):
                present[name] = draw(views(name))
                burst[present[name].key] = present[name]
        bursts.append(burst)
    return bursts


@settings(max_examples=150, deadline=None)
@given(histories())
def test_changes_one_by_one_lead_where_planning_everything_leads(bursts: list[dict[str, PortView | None]]) -> None:
    ledger, packets = Ledger(4, SETTINGS), FakePackets(4)
    present: dict[str, PortView] = {}

    async def run() -> None:
        await packets.adopt(None, ledger.rule_set())
        for burst in bursts:
            for key, view in burst.items():
                present.pop(key, None)
                if view is not None:
                    present[key] = view
            await packets.commit(ledger.change(burst, present.get))
            assert await packets.chains() == ledger.chain_names()
            # Chains that lose their last service go with the change after that.
            await packets.commit(ledger.change({}, present.get))
            wanted = plan.rules(present.values(), 4, SETTINGS)
            assert packets.rule_set() == wanted
            assert ledger.rule_set() == wanted
            assert await packets.chains() == ledger.chain_names()

    asyncio.run(run())


NODE, POD, CLIENT = bytes((10, 0, 0, 1)), bytes((10, 244, 9, 9)), bytes((198, 51, 100, 7))
# More than a packet does on its way through the longest rules.
LOOKS = 16


# Where a node has an endpoint of its own the cluster has one.
selections = (
    views(NAMES[0]).map(lambda view: view.selected).filter(lambda found: bool(found.cluster) or not found.local)
)


@st.composite
def endpoint_changes(draw: st.DrawFn) -> tuple[PortView, PortView]:
    """A service port before and after its endpoints changed."""
    before = msgspec.structs.replace(draw(views(NAMES[0])), protocol=6, port=80, source_ranges=())
    return tuple(msgspec.structs.replace(before, selected=draw(selections)) for _ in range(2))  # type: ignore[return-value]


@settings(max_examples=40, deadline=None)
@given(endpoint_changes(), st.booleans(), st.sampled_from([NODE, POD, CLIENT]), st.integers(0, 5))
def test_no_packet_is_lost_whenever_on_its_way_endpoints_change(
    change: tuple[PortView, PortView], again: bool, source: bytes, seed: int
) -> None:
    """Between any two of its looks; by a commit, or by a proxy that starts again."""
    before, after = change
    ways = [(before.cluster_ip, 80), *((each, 80) for each in before.external_ips)]
    ways += [(NODE, before.node_port)] if before.node_port else []
    known = {each[:4] for view in change for each in (*view.selected.cluster, *view.selected.local)}
    with asyncio.Runner() as runner:
        for destination, port in ways:
            packet = Packet(source, destination, 6, port, local=source == NODE)
            for looks in range(LOOKS):
                ledger, packets = Ledger(4, SETTINGS), FakePackets(4)
                ledger.change({before.key: before}, lambda key: None)
                runner.run(packets.adopt(None, ledger.rule_set()))
                through = Machine(packets, frozenset((NODE,)), SeededRandom(seed))
                old = through.send(packet)
                taking = _take_anew(packets, after) if again else _take(packets, ledger, after)
                fate = through.send_across(packet, looks, partial(runner.run, taking))
                if fate is None:
                    taking.close()
                    break
                if all(isinstance(each, Landed) and each.destination in known for each in (old, through.send(packet))):
                    assert isinstance(fate, Landed)
                    assert fate.destination in known


async def _take(packets: FakePackets, ledger: Ledger, view: PortView) -> None:
    await packets.commit(ledger.change({view.key: view}, lambda key: None))


async def _take_anew(packets: FakePackets, view: PortView) -> None:
    ledger = Ledger(4, SETTINGS)
    ledger.change({view.key: view}, lambda key: None)
    installed = await packets.dump()
    assert installed is not None
    ledger.keep(installed.shapes)
    await packets.adopt(installed, ledger.rule_set())


layouts = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"\0", b"x")),
        st.integers(0, 3),
        st.integers(1, 10).map(lambda n: 4 * n),
        st.integers(1, 5).map(lambda n: 4 * n),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[tuple[bytes, int, int, int]], list[tuple[int, int, int]], bytes]:
    layout = [(name, kind, key, data if kind == plain.MAP else 0) for name, kind, key, data in draw(layouts)]
    runs = []
    rows = bytearray()
    for _ in range(draw(st.integers(0, 4))):
        index = draw(st.integers(0, len(layout) - 1))
        count = draw(st.one_of(st.integers(0, 5), st.integers(1000, 4000)))
        _, kind, key, data = layout[index]
        size = {plain.VERDICTS: key + 1, plain.RANGES: 2 * key}.get(kind, key + data)
        block = draw(st.binary(min_size=size, max_size=size))
        if kind == plain.VERDICTS:
            block = block[:-1] + bytes((block[-1] & 1,))
        runs.append((draw(st.sampled_from([plain.NEW_ELEMENTS, plain.DELETE_ELEMENTS])), index, count))
        rows += block * count
    return layout, runs, bytes(rows)


@settings(max_examples=60, deadline=None)
@given(batches(), st.sampled_from([2, 10]), st.integers(0, 2**32 - 1))
def test_compiled_and_plain_encoders_agree(
    batch: tuple[list[tuple[bytes, int, int, int]], list[tuple[int, int, int]], bytes], family: int, sequence: int
) -> None:
    compiled = pytest.importorskip("cybernetes_native.nft", reason="kernels are not built")
    layout, runs, rows = batch
    given_to_both = (family, b"kube-proxy", layout, runs, rows, b"reject-chain", sequence)
    assert compiled.encode(*given_to_both) == plain.encode(*given_to_both)


lines_of_text = st.lists(
    st.sampled_from([b"-A \0 -j \0\n", b"COMMIT\n", b":\0 - [0:0]\n", b"\0\0", b""]), min_size=1, max_size=6
)


@settings(max_examples=200, deadline=None)
@given(lines_of_text, st.data())
def test_compiled_and_plain_texts_agree(templates: list[bytes], data: st.DataObject) -> None:
    compiled = pytest.importorskip("cybernetes_native.iptext", reason="kernels are not built")
    lines = bytes(data.draw(st.lists(st.integers(0, len(templates)), max_size=20)))
    needed = sum(templates[line].count(b"\0") for line in lines if line < len(templates))
    count = data.draw(st.sampled_from([needed, needed, needed + 1, max(0, needed - 1)]))
    word = st.binary(max_size=8).map(lambda found: found.replace(b"\0", b"-"))
    words = b"".join(data.draw(word) + b"\0" for _ in range(count))
    words += data.draw(st.sampled_from([b"", b"", b"", b"x"]))
    try:
        expected = plain_text.render(templates, lines, words)
    except ValueError:
        with pytest.raises(ValueError, match=r"word|template"):
            compiled.render(templates, lines, words)
    else:
        assert compiled.render(templates, lines, words) == expected
