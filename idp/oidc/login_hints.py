"""The `login_hint` of a request that waits (OIDC Core §3.1.2.1): it names a person, so rows hold it sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.envelope import Vault

LENGTH_LIMIT = 254
_KEY = "interaction"


def sealed(vault: Vault, login_hint: str, table: str) -> bytes | None:
    """As a row of this table keeps it, cut to what can be kept; None for none."""
    hint = login_hint[:LENGTH_LIMIT]
    return vault.service_data_key(_KEY).seal(hint, f"{table}|login_hint") if hint else None


def opened(vault: Vault, kept: bytes | None, table: str) -> str:
    """The hint behind `sealed`; "" for none."""
    return vault.service_data_key(_KEY).open(kept, f"{table}|login_hint") if kept else ""
