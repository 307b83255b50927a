"""Sends packets through a table in memory, so that plans are tested by meaning."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import msgspec

from cybernetes.base.errors import Bug
from cybernetes.base.random import Random
from cybernetes.proxy.frame import STATE_NEW, STATUS_DST_NAT, TYPE_LOCAL
from cybernetes.proxy.packets.fake import FakePackets
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
    Reset,
    Return,
    Rewrite,
    Rule,
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


class Machine:
    """Sends packets through a table as the kernel would.

    addresses  packed, the node's own
    """

    def __init__(self, packets: FakePackets, addresses: frozenset[bytes], random: Random) -> None:
        self._packets = packets
        self._addresses = addresses
        self._random = random
        self._sets: Mapping[str, Mapping[bytes, bytes]] = _sets(packets)

    def send(self, packet: Packet) -> Fate:
        """The fate of the first packet of a connection."""
        return _Run(_Sight(self._packets, self._sets), self._addresses, self._random, packet).run()

    def send_across(self, packet: Packet, looks: int, change: Callable[[], None]) -> Fate | None:
        """The fate of a packet that has looked into sets so many times when `change` is made; None where it never is.

        As in the kernel, the packet keeps to the rules that it came under, but sets are as they are. A chain that is
        made by the change is whole before anything leads to it.
        """
        sight = _Sight(self._packets, self._sets, looks, change)
        fate = _Run(sight, self._addresses, self._random, packet).run()
        self._sets = sight.sets
        return fate if sight.changed else None


def _sets(packets: FakePackets) -> dict[str, dict[bytes, bytes]]:
    found: dict[str, dict[bytes, bytes]] = {spec.name: {} for spec in SETS}
    for row in packets.rows:
        spec = SETS[row[0]]
        key = spec.key_bytes(packets.family)
        found[spec.name][row[1 : 1 + key]] = row[1 + key :]
    return found


class _Sight:
    """The table as one packet sees it."""

    def __init__(
        self,
        packets: FakePackets,
        sets: Mapping[str, Mapping[bytes, bytes]],
        looks: int = -1,
        change: Callable[[], None] = lambda: None,
    ) -> None:
        self.packets = packets
        self.sets = sets
        self.chains = dict(packets.table)
        self.changed = False
        self._looks = looks
        self._change = change

    def chain(self, name: str) -> Chain:
        return self.chains.get(name) or self.packets.table[name]

    def look(self) -> None:
        """To be called before each look into a set."""
        if self._looks == 0:
            self._change()
            self.sets = _sets(self.packets)
            self.changed = True
        self._looks -= 1


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
        sight: _Sight,
        addresses: frozenset[bytes],
        random: Random,
        packet: Packet,
    ) -> None:
        self._sight = sight
        self._packets = sight.packets
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
        chains = [chain for chain in self._sight.chains.values() if chain.hook is not None and chain.hook.hook == name]
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
                return self._chain(self._sight.chain(outcome.removeprefix("goto ")))
            if outcome.startswith("jump ") and self._chain(self._sight.chain(outcome.removeprefix("jump "))):
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
            case Reject() | Reset():
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
        self._sight.look()
        for timeout_s, memory in self._packets.memories.items():
            spec = affinity_memory(timeout_s)
            if spec.name == name:
                return memory.get(self._get(registers, key, spec.key_bytes(self._packets.family)))
        spec = next(each for each in SETS if each.name == name)
        value = self._get(registers, key, spec.key_bytes(self._packets.family))
        if spec.kind is SetKind.RANGES:
            return b"" if any(_within(value, *bounds) for bounds in self._sight.sets[name].items()) else None
        return self._sight.sets[name].get(value)

    def _dispatch(self, registers: bytearray, name: str, key: int) -> str:
        if name in self._packets.shapes:
            self._sight.look()
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
