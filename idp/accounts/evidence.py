"""Whose key opens what is logged about a resident: theirs while they have one, the service's for one who is erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consent.withdrawals.service import SubjectKey
from idp.accounts import service as accounts
from idp.accounts.models import Resident

if TYPE_CHECKING:
    from keys.envelope import Vault


def subject_key(session: Any, vault: Vault, resident_id: str) -> SubjectKey:
    """The key under which an act about a resident is logged now; `session` is an ORM session."""
    resident = session.get(Resident, resident_id)
    log_key = accounts.log_key(vault, resident) if resident else None
    return SubjectKey(vault.subkey("log"), is_services=True) if log_key is None else SubjectKey(log_key)
