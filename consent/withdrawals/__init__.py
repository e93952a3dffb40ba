"""What partners were told about residents, and what they say that they have done: the effect of a withdrawal.

Owns: the table ``consent_confirmation``; by when a partner must confirm, and what its silence is called; the acts
    that prove that it was told, and that it has confirmed.
Leaves to others: what is sent, how and when it is tried again (`idp.signals`), who may confirm (`idp.oidc`), the
    officer's queue (`admin.confirmations`).
Others may import: ``rules``, ``service``.
"""
