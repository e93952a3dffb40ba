"""Telling partners what has happened to a resident's sign-in, and what a resident has decided about their data.

Owns: the outbox of signals (rows that a transaction leaves behind), logout tokens (OpenID Connect Back-Channel
Logout 1.0), security events (RFC 8417), and their delivery: in parallel, each partner by itself, tried again for a bounded time.
Leaves to others: when a session ends (`idp.login`), which partners were answered in it (`idp.oidc.families`), and the
pages of signing out (`idp.oidc.views`).
Others import: `delivery.Messenger`, `events.tell` and `events.tell_again`, `outbox`, `models` for upkeep.
"""
