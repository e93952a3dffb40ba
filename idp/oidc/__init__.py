"""The protocol: OAuth 2.1 and OpenID Connect.

Owns: authorize (checks, release decision, answer), claims asked for by name, permissions for single matters, tokens,
userinfo, introspection, revocation, logout, discovery, step-up, client authentication (`authenticate`), tokens
bound to keys (`binding`: DPoP, certificates), registration over HTTP, devices without a keyboard (`device`), where
services are entered (`entrances`). Routes: `/authorize`, `/par`, `/consent`, `/token`, `/userinfo`, `/introspect`,
`/revoke`, `/logout`, `/register`, `/device_authorization`, `/device`, `/jwks`, `/.well-known/…`. One endpoint a file
in `views/`, one authorize check a file in `checks/`, Authlib adapters in `grants/`. Leaves to others: sign-in (`idp.login`), what was agreed (`consent`).
Others import: `provider.Provider`, `service`, `families` (how tokens end with their session).
"""
