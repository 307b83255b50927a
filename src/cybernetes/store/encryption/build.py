"""From a configuration to the rules of a SealedStore."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from cybernetes.base.random import Random
from cybernetes.store.encryption.config import Configuration, Keys, Kms, Provider
from cybernetes.store.encryption.kms import KmsEnvelope
from cybernetes.store.encryption.providers import BoxKey, CbcKey, GcmKey, Identity, Named, Prefixed, Sealer, Stacked
from cybernetes.store.envelope import Envelope
from cybernetes.store.sealing import Rules

SECRETS = "secrets"
_SEALERS: dict[str, Callable[[bytes, Random], Sealer]] = {"aesgcm": GcmKey, "aescbc": CbcKey, "secretbox": BoxKey}


class Built(msgspec.Struct, frozen=True):
    """services  those that must be started before the rules are used, and run beside them"""

    rules: Rules
    services: tuple[KmsEnvelope, ...] = ()


def without_configuration(own: Envelope) -> Built:
    """Secrets, with the cluster's own key."""
    return Built(Rules(((SECRETS, own),)))


def build(found: Configuration, own: Envelope, random: Random, connect: Callable[[Kms], KmsEnvelope]) -> Built:
    """own: seals Secrets where the configuration does not name them, and opens what it sealed before."""
    services: dict[str, KmsEnvelope] = {}

    def service(kms: Kms) -> KmsEnvelope:
        if kms.name not in services:
            services[kms.name] = connect(kms)
        return services[kms.name]

    patterns: list[tuple[str, Envelope]] = []
    for part in found.resources:
        members = [each for provider in part.providers for each in _members(provider, random, service)]
        stacked = Stacked(members, own)
        patterns += [(name, stacked) for name in part.resources]
    return Built(Rules([*patterns, (SECRETS, own)]), tuple(services.values()))


def _members(provider: Provider, random: Random, service: Callable[[Kms], KmsEnvelope]) -> Sequence[Prefixed]:
    if provider.kms is not None:
        return (service(provider.kms),)
    name = provider.given[0]
    if name == "identity":
        return (Identity(),)
    keys: Keys = getattr(provider, name)
    return [Named(f"k8s:enc:{name}:v1:{each.name}:".encode(), _SEALERS[name](each.value, random)) for each in keys.keys]
