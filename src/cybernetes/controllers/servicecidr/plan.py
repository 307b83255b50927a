"""Which addresses would be left without a range.

source  Kubernetes documentation "Extending Service IP ranges"
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from cybernetes.controllers.objects import Condition, Meta, View


class CidrSpec(View, frozen=True, gc=False):
    cidrs: tuple[str, ...] = ()


class CidrStatus(View, frozen=True, gc=False):
    conditions: tuple[Condition, ...] = ()


class ServiceCidr(View, frozen=True, gc=False):
    metadata: Meta
    spec: CidrSpec = CidrSpec()
    status: CidrStatus = CidrStatus()

    def holds(self, address: str) -> bool:
        return any(
            ipaddress.ip_address(address) in ipaddress.ip_network(each, strict=False) for each in self.spec.cidrs
        )


def only_in(going: ServiceCidr, others: Sequence[ServiceCidr], addresses: Iterable[str]) -> bool:
    """Whether some address of the range that is going is in none of the others that stay."""
    staying = [each for each in others if not each.metadata.deletion_timestamp and each is not going]
    return any(going.holds(each) and not any(other.holds(each) for other in staying) for each in addresses)


READY = Condition(type="Ready", status="True", message="Kubernetes Service CIDR is ready")
IN_USE = Condition(
    type="Ready",
    status="False",
    reason="Terminating",
    message=("There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"),
)
