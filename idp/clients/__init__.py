"""Partners and their clients.

Owns: client metadata, secrets (hashed), the level of sign-in that a client demands, the registry with its cache.
Routes: none yet. Leaves to others: purposes and notices (`consent`), the protocol (`idp.oidc`).
Others import: `registry.ClientRegistry`, `registry.Client`, `service`, `rules.SIGN_IN_LEVELS`.
"""
