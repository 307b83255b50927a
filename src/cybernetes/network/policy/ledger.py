"""The table that the kernel should hold, and what has changed in it since it was last told. Pure.

What a change costs follows the change: of everything that is touched the ledger notes what the kernel has.
"""

from __future__ import annotations

import msgspec

from cybernetes.network.policy.rows import Row

# Rows, and verdicts as nft(8) writes them.
Chain = tuple[Row | str, ...]


class Delta(msgspec.Struct, frozen=True):
    """new_sets, gone_sets: sets and maps by name.

    gone    elements to take away, as (set, element)
    added   elements to put in, as (set, element, chain that it leads to: "" in a set)
    chains  those to be written anew, by name
    """

    new_sets: tuple[str, ...] = ()
    gone_sets: tuple[str, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()
    added: tuple[tuple[str, str, str], ...] = ()
    chains: dict[str, Chain] = {}
    gone_chains: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.new_sets, self.gone_sets, self.gone, self.added, self.chains, self.gone_chains))


class Ledger:
    """sets: by name the elements, each with the chain that it leads to ("" in a set). Read only; so is `chains`."""

    def __init__(self) -> None:
        self.sets: dict[str, dict[str, str]] = {}
        self.chains: dict[str, Chain] = {}
        self._known_elements: dict[tuple[str, str], str | None] = {}
        self._known_sets: dict[str, bool] = {}
        self._known_chains: dict[str, Chain | None] = {}

    def open_set(self, name: str) -> None:
        self._known_sets.setdefault(name, name in self.sets)
        self.sets[name] = {}

    def close_set(self, name: str) -> None:
        for element in list(self.sets[name]):
            self.take(name, element)
        self._known_sets.setdefault(name, True)
        del self.sets[name]

    def put(self, name: str, element: str, leads_to: str = "") -> None:
        elements = self.sets[name]
        self._known_elements.setdefault((name, element), elements.get(element))
        elements[element] = leads_to

    def take(self, name: str, element: str) -> None:
        """What is not there is taken already."""
        elements = self.sets[name]
        if element in elements:
            self._known_elements.setdefault((name, element), elements[element])
            del elements[element]

    def write(self, name: str, chain: Chain) -> None:
        self._known_chains.setdefault(name, self.chains.get(name))
        self.chains[name] = chain

    def drop(self, name: str) -> None:
        """A chain that is not there is dropped already."""
        if name in self.chains:
            self._known_chains.setdefault(name, self.chains[name])
            del self.chains[name]

    def everything(self) -> Delta:
        """From an empty table to this one; `changes` counts from here."""
        self._forget()
        return Delta(
            new_sets=tuple(sorted(self.sets)),
            added=tuple(
                (name, element, leads_to)
                for name in sorted(self.sets)
                for element, leads_to in sorted(self.sets[name].items())
            ),
            chains=dict(sorted(self.chains.items())),
        )

    def changes(self) -> Delta:
        """From what was told last. Whoever can't carry it out asks for `everything`."""
        gone, added = [], []
        for (name, element), known in sorted(self._known_elements.items()):
            wanted = self.sets.get(name, {}).get(element)
            if wanted == known:
                continue
            if known is not None:
                gone.append((name, element))
            if wanted is not None:
                added.append((name, element, wanted))
        chains = {
            name: self.chains[name]
            for name, known_rows in sorted(self._known_chains.items())
            if name in self.chains and self.chains[name] != known_rows
        }
        delta = Delta(
            new_sets=tuple(sorted(n for n, known in self._known_sets.items() if n in self.sets and not known)),
            gone_sets=tuple(sorted(n for n, known in self._known_sets.items() if n not in self.sets and known)),
            gone=tuple(gone),
            added=tuple(added),
            chains=chains,
            gone_chains=tuple(
                sorted(n for n, rows in self._known_chains.items() if rows is not None and n not in self.chains)
            ),
        )
        self._forget()
        return delta

    def _forget(self) -> None:
        self._known_elements, self._known_sets, self._known_chains = {}, {}, {}
