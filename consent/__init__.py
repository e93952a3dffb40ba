"""Purposes, notices, consent records, releases and the log that proves them.

Owns: the tables ``consent_*``; why a client may ask for which claims (purposes) and in which words
    (notices); the append-only history of what each resident agreed to; what was handed to whom; who
    looked a resident up; the Merkle log over all of it; the resident's privacy pages.
Leaves to others: who is signed in, clients and their names, grants and tokens, keys. All of that comes
    in as values: a connection, ``now``, a 32-byte log key, :class:`consent.ports.Ports`.
Routes: ``/privacy``, ``/privacy/services/<client_id>``, its ``/withdraw``, ``/withdrawn``, ``/object``
    and ``/purposes/<purpose_id>/narrow``, ``/withdraw``; ``/privacy/history``, ``/privacy/releases``.
Others may import: ``purposes``, ``drafts``, ``ending``, ``records``, ``releases``, ``lookups``, ``withdrawals``, ``rules``, ``log``, ``labels``,
    ``ports``, ``views.bp``; migrations also ``models.Base`` and ``triggers``. Tables are private.
"""
