"""Partners and their clients.

Owns: client metadata and the one judge of it (`metadata`), security profiles (`profiles`), secrets (hashed, or sealed
where signatures are made with them), key sets, initial access tokens, the level of sign-in that a client
demands, the registry with its cache. Routes: none; `idp.oidc` has `/register`.
Leaves to others: purposes and notices (`consent`), the protocol (`idp.oidc`).
Others import: `registry.ClientRegistry`, `registry.Client` (with its `profile` and `details`), `service`, `metadata`,
`profiles`, `rules.SIGN_IN_LEVELS`.
"""
