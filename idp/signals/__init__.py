"""Telling partners what has happened to a resident's sign-in.

Owns: the outbox of signals (rows that a transaction leaves behind), logout tokens (OpenID Connect Back-Channel
Logout 1.0), and their delivery: in parallel, each partner by itself, tried again for a bounded time.
Leaves to others: when a session ends (`idp.login`), which partners were answered in it (`idp.oidc.families`), and the
pages of signing out (`idp.oidc.views`).
Others import: `delivery.Messenger`, `outbox`, `models` for upkeep.
"""
