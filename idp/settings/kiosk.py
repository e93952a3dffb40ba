"""`[kiosk]`: the computers that the town puts out for everybody, in the town hall and its libraries."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from pydantic import Field, PrivateAttr, field_validator

from idp.settings.section import Section


class KioskSettings(Section):
    """The computers that the town puts out for everybody."""

    networks: tuple[str, ...] = Field(
        (),
        description="Addresses or networks of shared computers: whoever signs in there leaves nothing behind.",
    )
    _networks: tuple[IPv4Network | IPv6Network, ...] = PrivateAttr(default=())

    @field_validator("networks")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ip_network(one)
        return value

    def model_post_init(self, _: object) -> None:
        """Read the networks once."""
        self._networks = tuple(ip_network(one) for one in self.networks)

    def has(self, address: str) -> bool:
        """Whether a peer's address is one of a shared computer."""
        if not self._networks:
            return False
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self._networks)
