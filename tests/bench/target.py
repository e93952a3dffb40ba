"""What the workloads must know about a provider: its endpoints, its clients, its residents."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.bench.agent import basic

if TYPE_CHECKING:
    from tests.bench.agent import Agent

RESIDENTS = 64
#: Never contacted: the load generator stops at a redirect to it.
REDIRECT_URI = "https://partner.example/callback"


@dataclass(frozen=True, slots=True)
class Partner:
    """A confidential client, and what it may ask for.

    It proves itself with client_secret_basic, or by FAPI 2.0: with a key, and with DPoP.
    """

    client_id: str
    grants: tuple[str, ...]
    scope: str
    is_fapi: bool = False


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody who can sign in."""

    username: str
    password: str


LIBRARY = Partner("bench-library", ("authorization_code",), "openid profile email")
TAX_PORTAL = Partner("bench-tax-portal", ("authorization_code", "refresh_token"), "openid offline_access")
SERVICE = Partner("bench-service", ("client_credentials",), "api")
BANK = Partner("bench-bank", ("authorization_code",), "openid profile email", is_fapi=True)
PARTNERS = (LIBRARY, TAX_PORTAL, SERVICE, BANK)


def residents(count: int = RESIDENTS) -> list[Resident]:
    """The sample residents, the same for every provider."""
    return [Resident(f"resident{i:03d}", f"Riverton bench {i:03d} door") for i in range(count)]


def claims_of(resident: Resident) -> dict[str, str]:
    """What every provider knows of a sample resident, besides the e-mail address."""
    return {
        "name": f"Camille Durand {resident.username[-3:]}",
        "given_name": "Camille",
        "family_name": "Durand",
        "birthdate": "1980-01-01",
    }


def email_of(resident: Resident) -> str:
    """The sample resident's confirmed address."""
    return f"{resident.username}@example.org"


@dataclass(slots=True)
class Target:
    """One provider under load. `endpoints` is its discovery document, `secrets` are its clients' by id: a secret, or a private JWK."""

    issuer: str
    endpoints: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    #: Noted along the way for the table's foot: algorithms, databases.
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def discovery_url(self) -> str:
        return self.issuer + "/.well-known/openid-configuration"

    async def discover(self, agent: Agent) -> None:
        """Read the endpoints, as a client that asks before its first request."""
        self.endpoints = json.loads((await agent.get(self.discovery_url)).body)

    def credentials(self, partner: Partner) -> dict[str, str]:
        """The partner's client authentication, as headers."""
        return basic(partner.client_id, self.secrets[partner.client_id])


@dataclass(slots=True)
class Visitor:
    """One of the closed loop's clients, and what it holds between flows."""

    agent: Agent
    resident: Resident
    access_token: str = ""
    refresh_token: str = ""
    #: The visitor's device for passkeys, once it has one.
    device: Any = None
