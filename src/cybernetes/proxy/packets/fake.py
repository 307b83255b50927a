"""An nf_tables in memory: holds a table, and sends packets through it, so that plans are tested by meaning."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import msgspec

from cybernetes.base.errors import Bug, EdgeError, Outcome
from cybernetes.base.random import Random
from cybernetes.proxy.diff import Delta, diff_rows
from cybernetes.proxy.frame import STATE_NEW, STATUS_DST_NAT, TYPE_LOCAL
from cybernetes.proxy.packets.api import Installed
from cybernetes.proxy.rules import (
    DROP_VERDICT,
    REGISTERS,
    REJECT_CHAIN,
    SETS,
    WORD,
    Chain,
    Choose,
    Compare,
    Dispatch,
    Drop,
    Field,
    Find,
    Forget,
    Goto,
    Jump,
    Keep,
    Load,
    Mask,
    Masquerade,
    Put,
    Reject,
    Remember,
    Return,
    Rewrite,
    Rule,
    RuleSet,
    SetKind,
    SetMark,
    affinity_memory,
)

_TYPE_UNICAST = 1


class Packet(msgspec.Struct):
    """The first packet of a connection. local: sent by the node itself. Addresses packed."""

    source: bytes
    destination: bytes
    protocol: int
    port: int
    local: bool = False
    interface: str = ""


class Landed(msgspec.Struct, frozen=True):
    """Where a packet came out; masqueraded: with the node's address as its source."""

    destination: bytes
    port: int
    masqueraded: bool


class Dropped(msgspec.Struct, frozen=True):
    pass


class Rejected(msgspec.Struct, frozen=True):
    pass


Fate = Landed | Dropped | Rejected


class FakePackets:
    """Implements Packets. refuse: how many of the next transactions fail."""

    def __init__(self, family: int) -> None:
        self.refuse = 0
        self.commits = 0
        self.rows: set[bytes] = set()
        self.table: dict[str, Chain] = {}
        self.shapes: dict[str, dict[bytes, str]] = {}
        self.memories: dict[int, dict[bytes, bytes]] = {}
        self._family = family
        self._there = False

    @property
    def family(self) -> int:
        return self._family

    async def dump(self) -> Installed | None:
        if not self._there:
            return None
        return Installed(frozenset(self.rows), frozenset(self.table), frozenset(self.memories))

    async def chains(self) -> frozenset[str]:
        return frozenset(self.table)

    async def adopt(self, installed: Installed | None, wanted: RuleSet) -> int:
        self._refuse()
        add, remove = diff_rows(installed.rows if installed is not None else (), wanted.rows)
        if installed is None:
            self.rows, self.memories = set(), {}
        self._there = True
        self._change_rows(add, remove)
        self.table = dict(wanted.chains)
        self.shapes = {name: dict(shapes) for name, shapes in wanted.shapes.items()}
        self.memories = {timeout_s: self.memories.get(timeout_s, {}) for timeout_s in wanted.memories}
        self._check_references()
        return len(add) + len(remove)

    async def commit(self, delta: Delta) -> None:
        self._refuse()
        self._change_rows(delta.add, delta.remove)
        self.table.update((chain.name, chain) for chain in delta.chains_added)
        for entry in delta.shapes_added:
            self.shapes[entry.map][entry.shape] = entry.chain
        for entry in delta.shapes_removed:
            del self.shapes[entry.map][entry.shape]
        for name in delta.chains_removed:
            del self.table[name]
        self.memories.update((timeout_s, {}) for timeout_s in delta.memories_added)
        for timeout_s in delta.memories_removed:
            del self.memories[timeout_s]
        self._check_references()

    async def remove(self) -> None:
        self.__init__(self._family)  # type: ignore[misc]

    async def close(self) -> None:
        pass

    def rule_set(self) -> RuleSet:
        """What is installed."""
        return RuleSet(self._family, self.table, tuple(sorted(self.memories)), self.shapes, tuple(sorted(self.rows)))

    def _refuse(self) -> None:
        if self.refuse:
            self.refuse -= 1
            raise EdgeError("commit", "fake table", "refused", outcome=Outcome.NOT_DONE)
        self.commits += 1

    def _change_rows(self, add: tuple[bytes, ...], remove: tuple[bytes, ...]) -> None:
        """As strict as the kernel: what is removed must be there, a key can be there only once."""
        missing = [row for row in remove if row not in self.rows]
        if missing:
            raise EdgeError("commit", "fake table", f"no such elements: {missing}", outcome=Outcome.NOT_DONE)
        rows = self.rows.difference(remove).union(add)
        keys = [_key(row, self._family) for row in rows]
        if len(set(keys)) != len(keys):
            raise EdgeError("commit", "fake table", "a key twice", outcome=Outcome.NOT_DONE)
        self.rows = rows

    def _check_references(self) -> None:
        wanted = {chain for shapes in self.shapes.values() for chain in shapes.values()}
        for chain in self.table.values():
            for rule in chain.rules:
                wanted.update(step.chain for step in rule.steps if isinstance(step, Jump | Goto))
        if wanted - self.table.keys():
            raise Bug(f"chains that do not exist: {sorted(wanted - self.table.keys())}")


def _key(row: bytes, family: int) -> bytes:
    spec = SETS[row[0]]
    return row if spec.kind is SetKind.RANGES else row[: 1 + spec.key_bytes(family)]


class Machine:
    """Sends packets through a table as the kernel would.

    addresses  packed, the node's own
    """

    def __init__(self, packets: FakePackets, addresses: frozenset[bytes], random: Random) -> None:
        self._packets = packets
        self._addresses = addresses
        self._random = random
        self._sets = _sets(packets)

    def send(self, packet: Packet) -> Fate:
        """The fate of the first packet of a connection."""
        return _Run(self._packets, self._sets, self._addresses, self._random, packet).run()


def _sets(packets: FakePackets) -> dict[str, dict[bytes, bytes]]:
    found: dict[str, dict[bytes, bytes]] = {spec.name: {} for spec in SETS}
    for row in packets.rows:
        spec = SETS[row[0]]
        key = spec.key_bytes(packets.family)
        found[spec.name][row[1 : 1 + key]] = row[1 + key :]
    return found


class _Ended(Exception):
    """Carries a packet's fate out of nested chains."""

    def __init__(self, fate: Fate) -> None:
        super().__init__(fate)
        self.fate = fate


class _Broken(Exception):
    """The rule does not apply."""


class _Run:
    """One packet's way through the hooks."""

    def __init__(
        self,
        packets: FakePackets,
        sets: Mapping[str, Mapping[bytes, bytes]],
        addresses: frozenset[bytes],
        random: Random,
        packet: Packet,
    ) -> None:
        self._packets = packets
        self._sets = sets
        self._addresses = addresses
        self._random = random
        self._source = packet.source
        self._destination = packet.destination
        self._port = packet.port
        self._packet = packet
        self._mark = 0
        self._kept = bytes(WORD)
        self._rewritten = False
        self._masqueraded = False

    def run(self) -> Fate:
        try:
            self._hook("output" if self._packet.local else "prerouting")
            if not self._packet.local:
                self._hook("input" if self._destination in self._addresses else "forward")
            self._hook("postrouting")
        except _Ended as end:
            return end.fate
        return Landed(self._destination, self._port, self._masqueraded)

    def _hook(self, name: str) -> None:
        chains = [chain for chain in self._packets.table.values() if chain.hook is not None and chain.hook.hook == name]
        for chain in sorted(chains, key=lambda each: each.hook.priority if each.hook else 0):
            self._chain(chain)

    def _chain(self, chain: Chain) -> bool:
        """Whether the whole base chain is done with, because a rule decided."""
        for rule in chain.rules:
            outcome = self._rule(rule)
            if outcome == "return":
                return False
            if outcome == "accept":
                return True
            if outcome.startswith("goto "):
                return self._chain(self._packets.table[outcome.removeprefix("goto ")])
            if outcome.startswith("jump ") and self._chain(self._packets.table[outcome.removeprefix("jump ")]):
                return True
        return False

    def _rule(self, rule: Rule) -> str:
        registers = bytearray(REGISTERS * WORD)
        try:
            for step in rule.steps:
                outcome = self._step(step, registers)
                if outcome:
                    return outcome
        except _Broken:
            pass
        return ""

    def _step(self, step: object, registers: bytearray) -> str:
        match step:
            case Load(field, into):
                self._put(registers, into, self._load(field))
            case Put(data, into):
                self._put(registers, into, data)
            case Mask(register, mask, flip):
                value = self._get(registers, register, len(mask))
                changed = bytes(v & m ^ f for v, m, f in zip(value, mask, flip, strict=True))
                self._put(registers, register, changed)
            case Compare(register, data, equal):
                if (self._get(registers, register, len(data)) == data) is not equal:
                    raise _Broken
            case Find(name, key, into):
                self._find(registers, name, key, into)
            case Choose(count, into, first):
                self._put(registers, into, struct.pack("=I", first + self._random.below(count)))
            case Keep(register):
                self._kept = self._get(registers, register, WORD)
            case Remember() | Forget():
                self._remember(registers, step)
            case SetMark(register):
                self._mark = struct.unpack("=I", self._get(registers, register, WORD))[0]
            case _:
                return self._decide(step, registers)
        return ""

    def _decide(self, step: object, registers: bytearray) -> str:
        match step:
            case Dispatch(name, key):
                return self._dispatch(registers, name, key)
            case Jump(chain):
                return f"jump {chain}"
            case Goto(chain):
                return f"goto {chain}"
            case Return():
                return "return"
            case Drop():
                raise _Ended(Dropped())
            case Reject():
                raise _Ended(Rejected())
            case Masquerade():
                self._masqueraded = True
                return "accept"
            case Rewrite(address, port):
                self._destination = self._get(registers, address, len(self._destination))
                self._port = int.from_bytes(self._get(registers, port, 2), "big")
                self._rewritten = True
                return "accept"
            case _:
                raise Bug(f"no such step: {step}")

    def _find(self, registers: bytearray, name: str, key: int, into: int | None) -> None:
        found = self._look_up(registers, name, key)
        if found is None:
            raise _Broken
        if into is not None:
            self._put(registers, into, found)

    def _look_up(self, registers: bytearray, name: str, key: int) -> bytes | None:
        for timeout_s, memory in self._packets.memories.items():
            spec = affinity_memory(timeout_s)
            if spec.name == name:
                return memory.get(self._get(registers, key, spec.key_bytes(self._packets.family)))
        spec = next(each for each in SETS if each.name == name)
        value = self._get(registers, key, spec.key_bytes(self._packets.family))
        if spec.kind is SetKind.RANGES:
            return b"" if any(_within(value, *bounds) for bounds in self._sets[name].items()) else None
        return self._sets[name].get(value)

    def _dispatch(self, registers: bytearray, name: str, key: int) -> str:
        if name in self._packets.shapes:
            chain = self._packets.shapes[name].get(self._get(registers, key, WORD))
            if chain is None:
                raise _Broken
            return f"goto {chain}"
        verdict = self._look_up(registers, name, key)
        if verdict is None:
            raise _Broken
        if verdict == DROP_VERDICT:
            raise _Ended(Dropped())
        return f"goto {REJECT_CHAIN}"

    def _remember(self, registers: bytearray, step: Remember | Forget) -> None:
        for timeout_s, memory in self._packets.memories.items():
            spec = affinity_memory(timeout_s)
            if spec.name != step.set:
                continue
            key = self._get(registers, step.key, spec.key_bytes(self._packets.family))
            if isinstance(step, Forget):
                memory.pop(key, None)
            else:
                memory.setdefault(key, self._get(registers, step.data, WORD))

    def _load(self, field: Field) -> bytes:
        match field:
            case Field.SOURCE:
                return self._source
            case Field.DESTINATION:
                return self._destination
            case Field.PROTOCOL:
                return bytes((self._packet.protocol, 0, 0, 0))
            case Field.PORT:
                return self._port.to_bytes(2, "big") + bytes(2)
            case Field.MARK:
                return struct.pack("=I", self._mark)
            case Field.STATE:
                return struct.pack("=I", STATE_NEW)
            case Field.STATUS:
                return struct.pack("=I", STATUS_DST_NAT if self._rewritten else 0)
            case Field.SOURCE_TYPE:
                return self._type(self._source)
            case Field.DESTINATION_TYPE:
                return self._type(self._destination)
            case Field.KEPT:
                return self._kept
            case Field.INPUT_INTERFACE:
                return self._packet.interface.encode().ljust(16, b"\0")

    def _type(self, address: bytes) -> bytes:
        return struct.pack("=I", TYPE_LOCAL if address in self._addresses else _TYPE_UNICAST)

    @staticmethod
    def _get(registers: bytearray, index: int, size: int) -> bytes:
        return bytes(registers[index * WORD : index * WORD + size])

    @staticmethod
    def _put(registers: bytearray, index: int, data: bytes) -> None:
        padded = data + bytes(-len(data) % WORD)
        if (index * WORD) + len(padded) > REGISTERS * WORD:
            raise Bug(f"beyond the last register: {index}, {len(data)} bytes")
        registers[index * WORD : index * WORD + len(padded)] = padded


def _within(value: bytes, first: bytes, last: bytes) -> bool:
    """Part by part; only the last part of these keys is a range, so comparing the whole is the same."""
    return first <= value <= last
