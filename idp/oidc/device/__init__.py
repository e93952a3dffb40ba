"""Devices without a keyboard: the resident allows on another screen what the device asks for (RFC 8628).

Owns: device requests, device codes and user codes, the pace of polling. Routes: none; the endpoint is
`views.device_authorization`, the pages are `views.device`, the grant is `grants.device`.
Leaves to others: sign-in, release and step-up, which are those of every authorization request; tokens (`oidc.issue`);
how often a code may be guessed (`login.budgets`).
Others import: `service`, `answers.tell_device` (how every end of the pages is told).
"""
