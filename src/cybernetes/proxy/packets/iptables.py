"""Packet rules in iptables, for machines without nf_tables: text for iptables-restore of the chains that changed.

A table is replaced by one restore atomically. For iptables' nft variant a first sync is cut into several, endpoints'
chains before those that go to them, and names come in falling order: it keeps chains in a sorted list that it searches
from the front, so the time of one restore would grow with the square of its chains.
"""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.log import Log
from cybernetes.native import load
from cybernetes.proxy.frame import Settings
from cybernetes.proxy.packets import iptables_plan as plan
from cybernetes.proxy.packets.iptables_plan import (
    COMMIT,
    DECLARE,
    DELETE,
    INSERT,
    JUMP,
    REMOVE,
    TABLE,
    Line,
    PortChains,
)
from cybernetes.proxy.state import PortView

_log = Log("proxy")
# Chains in one restore of a first sync, by the nft variant. The legacy one copies the whole table each time.
CHAINS_MAX = 1000
# kube-proxy's limit: with more endpoints comments would be most of the text.
COMMENTED_ENDPOINTS_MAX = 1000
# Others hold the lock for a moment; one who holds it for longer is stuck.
LOCK_WAIT_S = 5
RESTORE_TIMEOUT_S = 60.0

Shared = tuple[str, str, str, str]
# Kinds of services' own chains: those of one kind go to kinds before it only.
_KINDS = ("KUBE-SEP-", "KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-")
ROUTE_LOCALNET = Path("/proc/sys/net/ipv4/conf/all/route_localnet")
_TABLES = ("mangle", plan.NAT, plan.FILTER)
# Names of matches, which iptables-save may add or leave out.
_NOT_TELLING = frozenset(("-m", "conntrack", "comment", "addrtype", "statistic"))


class IptablesDataplane:
    """Implements Dataplane in the network namespace of the process.

    variant  "legacy" or "nft" to have that one of iptables' two; "" for the machine's choice
    """

    def __init__(self, family: int, variant: str = "") -> None:
        self._family = family
        self._programs = ("ip6tables" if family == 6 else "iptables") + (f"-{variant}" if variant else "")
        self._iptext = load("iptext")
        self._settings = Settings()
        self._comments = True
        self._ports: dict[str, PortChains] = {}

    @property
    def family(self) -> int:
        return self._family

    async def install(
        self, views: Iterable[PortView], settings: Settings, view_of: Callable[[str], PortView | None]
    ) -> None:
        chosen = list(views)
        self._settings = settings
        self._comments = sum(len(view.selected.cluster) for view in chosen) <= COMMENTED_ENDPOINTS_MAX
        self._ports = {view.key: self._plan(view) for view in chosen}
        await asyncio.to_thread(self._install)

    async def change(self, changes: Mapping[str, PortView | None], view_of: Callable[[str], PortView | None]) -> None:
        lines = self._delta(changes)
        if lines:
            await asyncio.to_thread(self._restore, lines)

    async def intact(self) -> bool:
        """Whether the canaries are there: whoever flushes tables takes them away."""
        return await asyncio.to_thread(self._has_canaries)

    async def close(self) -> None:
        pass

    async def remove(self) -> None:
        """Take every chain of ours back, and what leads to them."""
        await asyncio.to_thread(self._remove)

    def _plan(self, view: PortView) -> PortChains:
        return plan.port_chains(view, self._settings, comments=self._comments)

    def _install(self) -> None:
        found = self._save()
        fixed = plan.fixed_chains(self._family, self._settings)
        own = {name: lines for port in self._ports.values() for name, lines in port.own.items()}
        # Chains that others go to have to exist before.
        self._restore(_filled(plan.NAT, {plan.MARK_MASQ: fixed[plan.NAT][plan.MARK_MASQ]}))
        right = _rules_of(found[plan.NAT])
        names = _in_order(name for name, lines in own.items() if _differs(lines, right.get(name)))
        size = CHAINS_MAX if self._is_nft() else max(1, len(names))
        for first in range(0, len(names), size):
            self._restore(_filled(plan.NAT, {name: own[name] for name in names[first : first + size]}))
        shared = sorted((each for port in self._ports.values() for each in port.shared), key=_target, reverse=True)
        lines: list[Line] = []
        for table, chains in fixed.items():
            lines += self._shared_table(table, chains, shared, found[table], own)
        lines += _filled("mangle", {"KUBE-PROXY-CANARY": ()})
        self._restore(lines)
        if self._family == 4 and self._settings.nodeport_ips is None:
            _open_localhost()

    def _shared_table(
        self,
        table: str,
        chains: Mapping[str, Sequence[Line]],
        shared: Sequence[Shared],
        found: Sequence[str],
        own: Mapping[str, object],
    ) -> list[Line]:
        """The whole table but for services' own chains; jumps that are missing; chains that nothing needs any more."""
        lines: list[Line] = [(TABLE, (table,))]
        there = {line[1:].split()[0] for line in found if line.startswith(":KUBE-")}
        known = {*chains, *own, "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT"}
        stale = _in_order(name for name in there - known if _is_service_chain(name))
        lines += [(DECLARE, (name,)) for name in (*chains, *stale)]
        for name, after in chains.items():
            lines += [
                (JUMP, (name, match, to)) for where, chain, match, to in shared if (where, chain) == (table, name)
            ]
            lines += after
        lines += _jump_lines(table, found)
        lines += [(DELETE, (name,)) for name in stale]
        return [*lines, (COMMIT, ())]

    def _delta(self, changes: Mapping[str, PortView | None]) -> list[Line]:
        """Only chains whose lines changed; adds before removes."""
        nat: list[Line] = []
        gone: list[str] = []
        before: list[Shared] = []
        after: list[Shared] = []
        for key, view in sorted(changes.items()):
            old = self._ports.pop(key, plan.NOTHING)
            new = plan.NOTHING if view is None else self._plan(view)
            if view is not None:
                self._ports[key] = new
            written = {name: lines for name, lines in new.own.items() if old.own.get(name) != lines}
            nat += [(DECLARE, (name,)) for name in written]
            nat += [line for lines in written.values() for line in lines]
            gone += reversed(_in_order(old.own.keys() - new.own.keys()))
            before += [each for each in old.shared if each not in new.shared]
            after += [each for each in new.shared if each not in old.shared]
        return self._delta_lines(nat, gone, before, after)

    def _delta_lines(
        self, nat: list[Line], gone: list[str], before: Sequence[Shared], after: Sequence[Shared]
    ) -> list[Line]:
        lines: list[Line] = []
        for table in (plan.NAT, plan.FILTER):
            part: list[Line] = list(nat) if table == plan.NAT else []
            part += [(INSERT, (chain, match, to)) for where, chain, match, to in after if where == table]
            part += [(REMOVE, (chain, match, to)) for where, chain, match, to in before if where == table]
            if table == plan.NAT:
                # Declared, which empties them, so that they can be deleted.
                part = [*((DECLARE, (name,)) for name in gone), *part, *((DELETE, (name,)) for name in gone)]
            if part:
                lines += [(TABLE, (table,)), *part, (COMMIT, ())]
        return lines

    def _restore(self, lines: Sequence[Line]) -> None:
        kinds = bytes(kind for kind, _ in lines)
        words = "".join([f"{word}\0" for _, line in lines for word in line]).encode()
        text = self._iptext.render(plan.TEMPLATES, kinds, words)
        self._run(f"{self._programs}-restore", "--noflush", "-w", str(LOCK_WAIT_S), stdin=text)

    def _is_nft(self) -> bool:
        return b"nf_tables" in self._run(f"{self._programs}-restore", "--version")

    def _save(self) -> dict[str, list[str]]:
        """Table -> its lines, of the tables that services have chains in. One call: each reads the rules of all."""
        found: dict[str, list[str]] = {table: [] for table in _TABLES}
        table = ""
        for line in self._run(f"{self._programs}-save").decode().splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif table in found:
                found[table].append(line)
        return found

    def _has_canaries(self) -> bool:
        for table in _TABLES:
            command = [self._programs, "-w", str(LOCK_WAIT_S), "-t", table, "-S", "KUBE-PROXY-CANARY"]
            if subprocess.run(command, capture_output=True, check=False, timeout=RESTORE_TIMEOUT_S).returncode:
                return False
        return True

    def _remove(self) -> None:
        saved = self._save()
        if self._family == 4 and any(line.startswith(":KUBE-FIREWALL ") for line in saved[plan.FILTER]):
            _close_localhost()
        for table, found in saved.items():
            chains = sorted(
                {line[1:].split()[0] for line in found if line.startswith(":KUBE-")}
                - {"KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT"}
            )
            jumps = [line for line in found if line.startswith("-A ") and not line.startswith("-A KUBE-")]
            ours = [line for line in jumps if shlex.split(line)[-1] in chains or " -j KUBE-" in line]
            text = [f"*{table}", *(f":{name} - [0:0]" for name in chains), *(f"-D {line[3:]}" for line in ours)]
            text += [*(f"-X {name}" for name in chains), "COMMIT", ""]
            if chains:
                self._run(
                    f"{self._programs}-restore", "--noflush", "-w", str(LOCK_WAIT_S), stdin="\n".join(text).encode()
                )
        self._ports.clear()

    def _run(self, *command: str, stdin: bytes = b"") -> bytes:
        try:
            done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=RESTORE_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as failed:
            raise EdgeError("run", command[0], str(failed)) from failed
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip()
            raise EdgeError("run", command[0], why, outcome=Outcome.NOT_DONE)
        return done.stdout


def _jump_lines(table: str, found: Sequence[str]) -> list[Line]:
    """What leads to our chains, at the top and in order. Where one is missing, those that are there are put anew."""
    present = {_normal(line) for line in found if line.startswith("-A ")}
    jumps = [(each, _normal(f"-A {each[1]} {each[2]}-j {each[3]}") in present) for each in plan.base_jumps()]
    broken = {chain for (where, chain, _, _), there in jumps if where == table and not there}
    wanted = [(each[1:], there) for each, there in jumps if each[0] == table and each[1] in broken]
    lines: list[Line] = [(REMOVE, words) for words, there in wanted if there]
    return [*lines, *((INSERT, words) for words, _ in reversed(wanted))]


def _open_localhost() -> None:
    """Let packets from 127.0.0.1 be routed to pods: node ports on localhost. KUBE-FIREWALL keeps out those from elsewhere.

    source  CVE-2020-8558
    """
    try:
        ROUTE_LOCALNET.write_text("1")
    except OSError as why:
        _log.warning("localhost.closed", effect="no node ports on 127.0.0.1", path=str(ROUTE_LOCALNET), why=why)


def _close_localhost() -> None:
    """Before KUBE-FIREWALL goes: neighbors would reach what listens on 127.0.0.1 only."""
    try:
        ROUTE_LOCALNET.write_text("0")
    except OSError as why:
        _log.warning("localhost.open", effect="neighbors reach 127.0.0.1", path=str(ROUTE_LOCALNET), why=why)


def _in_order(chains: Iterable[str]) -> list[str]:
    """In the order in which they may be made: each after those that it goes to. Names of one kind in falling order."""
    return sorted(sorted(chains, reverse=True), key=_rank)


def _rank(chain: str) -> int:
    return next((n for n, prefix in enumerate(_KINDS) if chain.startswith(prefix)), len(_KINDS))


def _target(shared: Shared) -> str:
    return shared[3]


def _is_service_chain(name: str) -> bool:
    return name.startswith(_KINDS)


def _filled(table: str, chains: Mapping[str, Sequence[Line]]) -> list[Line]:
    lines: list[Line] = [(TABLE, (table,)), *((DECLARE, (name,)) for name in chains)]
    lines += [line for each in chains.values() for line in each]
    return [*lines, (COMMIT, ())]


def _rules_of(saved: Sequence[str]) -> dict[str, list[frozenset[str]]]:
    """Chain -> its rules, of chains that services have."""
    found: dict[str, list[frozenset[str]]] = {}
    for line in saved:
        if line.startswith(("-A KUBE-S", "-A KUBE-EXT-", "-A KUBE-FW-")):
            found.setdefault(line.split(" ", 2)[1], []).append(_normal(line))
    return found


def _differs(lines: Sequence[Line], saved: Sequence[frozenset[str]] | None) -> bool:
    """Whether a chain has to be written again. Chains of `-m recent` rules always are: saved ones say more."""
    if saved is None or len(saved) != len(lines):
        return True
    for line, there in zip(lines, saved, strict=True):
        rule = plan.TEMPLATES[line[0]].decode().replace("\0", "{}").format(*line[1])
        if _normal(rule) != there:
            return True
    return False


def _normal(rule: str) -> frozenset[str]:
    """A rule without the order, quoting, masks and digits that iptables-save gives it: what our own rules differ in."""
    words = shlex.split(rule) if '"' in rule else rule.split()
    return frozenset(_normal_word(word) for word in words if word not in _NOT_TELLING)


def _normal_word(word: str) -> str:
    if word.startswith("0."):
        return f"{float(word):.9f}"
    return word.removesuffix("/32").removesuffix("/128")
