"""The protocol: OAuth 2.1 and OpenID Connect.

Owns: authorize (checks, release decision, answer), tokens, userinfo, introspection, revocation, logout,
discovery, step-up, client authentication (`authenticate`), tokens bound to keys (`binding`: DPoP, certificates),
registration over HTTP. Routes: `/authorize`, `/consent`, `/token`, `/userinfo`, `/introspect`, `/revoke`, `/logout`,
`/register`, `/jwks`, `/.well-known/…`. One endpoint a file in `views/`, one authorize check a file in `checks/`,
Authlib adapters in `grants/`. Leaves to others: sign-in (`idp.login`), what was agreed (`consent`).
Others import: `provider.Provider`, `service`, `families` (how tokens end with their session).
"""
