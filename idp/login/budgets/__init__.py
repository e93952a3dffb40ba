"""Guessing budgets: how often a secret may be tried, counted before it is looked at (K26, NIST SP 800-63B-4 §3.2.2).

Owns: short windows per town, source, and name and source; the pauses and the lifetime cap of every single
authenticator; their store (the database, and Redis or Valkey for the windows). Routes: none.
Leaves to others: looking at secrets; which device is known (`idp.login.devices`); what people read.
Others import: `Guess`, `Limit`, `Verdict`, the limit on mail, and the functions that `__all__` names.

A device on which its owner signed in before has a budget of its own, so that no stranger can lock anybody out (K28).
"""

from idp.login.budgets.rules import MAIL_PER_ADDRESS, Guess, Limit, Verdict, mail_asked
from idp.login.budgets.service import is_spent, refund, restore, spend, take

__all__ = [
    "MAIL_PER_ADDRESS",
    "Guess",
    "Limit",
    "Verdict",
    "is_spent",
    "mail_asked",
    "refund",
    "restore",
    "spend",
    "take",
]
