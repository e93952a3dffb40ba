"""The host: the resident-facing OpenID Provider and everything that both apps stand on.

Owns: accounts, sign-in, clients, the protocol, messages, pages, settings, the database and its migrations.
Leaves to others: what was agreed and released (`consent`), keys and sealing (`keys`), staff pages (`admin`).
Layers, top to bottom: `app | cli`, `oidc`, `login`, `accounts | clients`, `messaging`, `web`, `db`, `settings`.
"""
